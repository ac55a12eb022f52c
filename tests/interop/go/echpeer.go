// One end of connections with Encrypted ClientHello, by Go's crypto/tls. For tests on the loopback interface.
//
//	echpeer server -cert C -key K [-groups x25519] [-ech CONFIG -ech-key KEY] -count N
//	echpeer client -address A -name N -ca CA [-groups x25519,secp256r1] [-ech LIST] -count N
//
// -ech and -ech-key are base64: a server has one ECHConfig and its raw private key, a client an ECHConfigList. With
// -count, a client resumes from its second connection on. The server first prints {"port": P}. Then each side prints
// a JSON object for each connection; the server sends back the one read of it.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

const patience = 20 * time.Second

var groups = map[string]tls.CurveID{"x25519": tls.X25519, "secp256r1": tls.CurveP256, "secp384r1": tls.CurveP384}

type outcome struct {
	Accepted bool   `json:"accepted"`
	Name     string `json:"name"`
	Resumed  bool   `json:"resumed"`
	Retried  bool   `json:"retried"`
	Received string `json:"received"`
	Error    string `json:"error"`
	Rejected bool   `json:"rejected"`
	Retry    string `json:"retry"` // base64 of the retry configs
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "echpeer:", err)
		os.Exit(2)
	}
}

func tell(value any) {
	line, err := json.Marshal(value)
	check(err)
	fmt.Println(string(line))
}

func decode(text string) []byte {
	data, err := base64.StdEncoding.DecodeString(text)
	check(err)
	return data
}

func describe(conn *tls.Conn, problem error) outcome {
	state := conn.ConnectionState()
	found := outcome{Accepted: state.ECHAccepted, Name: state.ServerName, Resumed: state.DidResume, Retried: state.HelloRetryRequest}
	if problem != nil {
		found.Error = problem.Error()
		var rejection *tls.ECHRejectionError
		if errors.As(problem, &rejection) {
			found.Rejected = true
			found.Retry = base64.StdEncoding.EncodeToString(rejection.RetryConfigList)
		}
	}
	return found
}

func serve(config *tls.Config, count int) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	tell(map[string]int{"port": listener.Addr().(*net.TCPAddr).Port})
	for range count {
		raw, err := listener.Accept()
		check(err)
		check(raw.SetDeadline(time.Now().Add(patience)))
		conn := tls.Server(raw, config)
		problem := conn.Handshake()
		buffer := make([]byte, 4096)
		size := 0
		if problem == nil {
			if size, problem = conn.Read(buffer); problem == nil {
				_, problem = conn.Write(buffer[:size])
			}
		}
		found := describe(conn, problem)
		found.Received = string(buffer[:size])
		conn.Close()
		tell(found)
	}
}

func visit(config *tls.Config, address string, count int) {
	config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	for range count {
		raw, err := net.DialTimeout("tcp", address, patience)
		check(err)
		check(raw.SetDeadline(time.Now().Add(patience)))
		conn := tls.Client(raw, config)
		problem := conn.Handshake()
		buffer := make([]byte, 4096)
		size := 0
		if problem == nil {
			if _, problem = conn.Write([]byte("hello from Go")); problem == nil {
				size, problem = conn.Read(buffer)
			}
		}
		found := describe(conn, problem)
		found.Received = string(buffer[:size])
		conn.Close()
		tell(found)
	}
}

func main() {
	if len(os.Args) < 2 {
		check(errors.New("server or client?"))
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	cert, key, ca := flags.String("cert", "", ""), flags.String("key", "", ""), flags.String("ca", "", "")
	address, name := flags.String("address", "", ""), flags.String("name", "", "")
	ech, echKey := flags.String("ech", "", ""), flags.String("ech-key", "", "")
	wanted, count := flags.String("groups", "x25519", ""), flags.Int("count", 1, "")
	check(flags.Parse(os.Args[2:]))
	config := &tls.Config{MinVersion: tls.VersionTLS13, ServerName: *name}
	for _, group := range strings.Split(*wanted, ",") {
		config.CurvePreferences = append(config.CurvePreferences, groups[group])
	}
	if os.Args[1] == "server" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		check(err)
		config.Certificates = []tls.Certificate{pair}
		if *ech != "" {
			one := tls.EncryptedClientHelloKey{Config: decode(*ech), PrivateKey: decode(*echKey), SendAsRetry: true}
			config.EncryptedClientHelloKeys = []tls.EncryptedClientHelloKey{one}
		}
		serve(config, *count)
		return
	}
	pem, err := os.ReadFile(*ca)
	check(err)
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		check(errors.New("no certificate in " + *ca))
	}
	if *ech != "" {
		config.EncryptedClientHelloConfigList = decode(*ech)
	}
	visit(config, *address, *count)
}
