// A peer on Go's crypto/tls. Takes orders on stdin, one a line; peers/program.py says in which form.
package main

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const patience = 20 * time.Second

type fields map[string]string

var stdout sync.Mutex

func answer(order fields, more string) {
	stdout.Lock()
	defer stdout.Unlock()
	fmt.Printf("id=%s\t%s\n", order["id"], more)
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		order := fields{}
		for _, field := range strings.Split(lines.Text(), "\t") {
			name, value, _ := strings.Cut(field, "=")
			order[name] = value
		}
		go func() {
			facts, err := work(order)
			if err != nil {
				answer(order, "error="+strings.NewReplacer("\n", " ", "\t", " ").Replace(err.Error()))
			} else {
				answer(order, "ok=1\t"+strings.Join(facts, "\t"))
			}
		}()
	}
}

func work(order fields) ([]string, error) {
	config, err := configure(order)
	if err != nil {
		return nil, err
	}
	received, err := os.Create(order["received"])
	if err != nil {
		return nil, err
	}
	defer received.Close()
	connect := dial
	if order["role"] == "server" {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		listener.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
		answer(order, fmt.Sprintf("port=%d", listener.Addr().(*net.TCPAddr).Port))
		connect = func(order fields, config *tls.Config) (*tls.Conn, error) {
			conn, err := listener.Accept()
			if err != nil {
				return nil, err
			}
			return tls.Server(conn, config), nil
		}
	}
	states := []tls.ConnectionState{}
	for range number(order["connections"]) {
		conn, err := connect(order, config)
		if err != nil {
			return nil, err
		}
		conn.SetDeadline(time.Now().Add(patience))
		err = talk(order, conn, received)
		states = append(states, conn.ConnectionState())
		if closing := conn.Close(); err == nil {
			err = closing
		}
		if err != nil {
			return nil, err
		}
	}
	facts, err := describe(states)
	if order["ocsp"] != "" && order["role"] == "client" {
		facts = append(facts, fmt.Sprintf("ocsp=%x", sha256.Sum256(states[0].OCSPResponse)))
	}
	return facts, err
}

func dial(order fields, config *tls.Config) (*tls.Conn, error) {
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+order["port"], patience)
	if err != nil {
		return nil, err
	}
	return tls.Client(conn, config), nil
}

// talk has the conversation, in as many rounds as there are chunks, and waits for the other side's close_notify.
func talk(order fields, conn *tls.Conn, received io.Writer) error {
	if err := conn.Handshake(); err != nil {
		return err
	}
	data, err := os.ReadFile(order["send"])
	if err != nil {
		return err
	}
	sizes := strings.Split(order["sizes"], ",")
	for turn, chunk := range strings.Split(order["chunks"], ",") {
		ours := data[:number(chunk)]
		data = data[len(ours):]
		if order["role"] == "client" {
			if _, err := conn.Write(ours); err != nil {
				return err
			}
		}
		if _, err := io.CopyN(received, conn, int64(number(sizes[turn]))); err != nil {
			return err
		}
		if order["role"] == "server" {
			if _, err := conn.Write(ours); err != nil {
				return err
			}
		}
	}
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		return fmt.Errorf("no close_notify at the end: %v", err)
	}
	return nil
}

func describe(states []tls.ConnectionState) ([]string, error) {
	names := []string{"version", "suite", "group", "alpn", "server_name", "resumed", "exporter"}
	values := map[string][]string{}
	for _, state := range states {
		exporter, err := state.ExportKeyingMaterial("EXPORTER-glasslock-interop", nil, 32)
		if err != nil {
			return nil, err
		}
		group := state.CurveID.String()
		if state.CurveID == 0 {
			group = ""
		}
		for i, value := range []string{strings.TrimPrefix(tls.VersionName(state.Version), "TLS "),
			tls.CipherSuiteName(state.CipherSuite), group, state.NegotiatedProtocol, state.ServerName,
			fmt.Sprint(state.DidResume), hex.EncodeToString(exporter)} {
			values[names[i]] = append(values[names[i]], value)
		}
	}
	facts := []string{}
	for _, name := range names {
		facts = append(facts, name+"="+strings.Join(values[name], ","))
	}
	return facts, nil
}

func configure(order fields) (*tls.Config, error) {
	version := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[order["version"]]
	config := &tls.Config{MinVersion: version, MaxVersion: version, ServerName: order["name"]}
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if suite.Name == order["suite"] {
			config.CipherSuites = []uint16{suite.ID} // heeded in TLS 1.2 only
		}
	}
	for _, name := range strings.Split(order["groups"], ",") {
		if group, known := groups[name]; known {
			config.CurvePreferences = append(config.CurvePreferences, group)
		}
	}
	if order["alpn"] != "" {
		config.NextProtos = strings.Split(order["alpn"], ",")
	}
	root, err := os.ReadFile(order["ca"])
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(root) {
		return nil, errors.New("no root certificate")
	}
	config.RootCAs, config.ClientCAs = pool, pool
	for _, which := range []string{"", "other_"} {
		if order[which+"cert"] != "" {
			pair, err := tls.LoadX509KeyPair(order[which+"cert"], order[which+"key"])
			if err != nil {
				return nil, err
			}
			if order["ocsp"] != "" && order["role"] == "server" {
				if pair.OCSPStaple, err = os.ReadFile(order["ocsp"]); err != nil {
					return nil, err
				}
			}
			config.Certificates = append(config.Certificates, pair)
		}
	}
	if order["want_client"] != "" {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if order["role"] == "client" && number(order["connections"]) > 1 {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	}
	return config, nil
}

var groups = map[string]tls.CurveID{
	"x25519": tls.X25519, "secp256r1": tls.CurveP256, "secp384r1": tls.CurveP384, "secp521r1": tls.CurveP521,
	"x25519mlkem768": tls.X25519MLKEM768, "secp256r1mlkem768": tls.SecP256r1MLKEM768,
	"secp384r1mlkem1024": tls.SecP384r1MLKEM1024,
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return value
}
