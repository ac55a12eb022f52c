// A peer on Java's JSSE. Takes orders on stdin, one a line; peers/program.py says in which form.

import java.io.*;
import java.net.*;
import java.nio.file.*;
import java.security.*;
import java.security.cert.*;
import java.util.*;
import java.util.stream.*;
import javax.net.ssl.*;

public class Peer {
    static final int PATIENCE = 20_000; // milliseconds
    static final char[] PASSWORD = "interop".toCharArray();

    public static void main(String[] args) throws IOException {
        // Debian's settings leave out TLS_RSA_*; and by default it would take 2^37 bytes to see a KeyUpdate.
        Security.setProperty("jdk.tls.disabledAlgorithms", "SSLv3, TLSv1, TLSv1.1");
        Security.setProperty("jdk.tls.keyLimits",
            "AES/GCM/NoPadding KeyUpdate 2^22, ChaCha20-Poly1305 KeyUpdate 2^22");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            Map<String, String> order = new HashMap<>();
            for (String field : line.split("\t")) {
                int cut = field.indexOf('=');
                order.put(field.substring(0, cut), field.substring(cut + 1));
            }
            Thread thread = new Thread(() -> run(order));
            thread.setDaemon(true);
            thread.start();
        }
    }

    static synchronized void answer(Map<String, String> order, String more) {
        System.out.println("id=" + order.get("id") + "\t" + more);
        System.out.flush();
    }

    static void run(Map<String, String> order) {
        try {
            List<Map<String, String>> seen = work(order);
            String facts = seen.get(0).keySet().stream()
                .map(name -> name + "=" + seen.stream().map(one -> one.get(name)).collect(Collectors.joining(",")))
                .collect(Collectors.joining("\t"));
            answer(order, "ok=1\t" + facts);
        } catch (Exception problem) {
            answer(order, "error=" + problem.toString().replaceAll("\\s+", " "));
        }
    }

    static List<Map<String, String>> work(Map<String, String> order) throws Exception {
        SSLContext context = context(order);
        List<Map<String, String>> seen = new ArrayList<>();
        int connections = Integer.parseInt(order.get("connections"));
        boolean client = order.get("role").equals("client");
        try (OutputStream received = Files.newOutputStream(Path.of(order.get("received")));
             SSLServerSocket listener = client ? null : listen(order, context)) {
            for (int number = 0; number < connections; number++) {
                try (SSLSocket socket = client ? connect(order, context) : (SSLSocket) listener.accept()) {
                    socket.setSoTimeout(PATIENCE);
                    socket.startHandshake();
                    talk(order, socket, received);
                    seen.add(look(order, socket));
                }
            }
        }
        return seen;
    }

    static SSLSocket connect(Map<String, String> order, SSLContext context) throws Exception {
        int port = Integer.parseInt(order.get("port"));
        Socket plain = new Socket("127.0.0.1", port);
        SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(plain, order.get("name"), port, true);
        SSLParameters parameters = parameters(order, socket.getSSLParameters());
        parameters.setServerNames(List.of(new SNIHostName(order.get("name"))));
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        socket.setSSLParameters(parameters);
        return socket;
    }

    static SSLServerSocket listen(Map<String, String> order, SSLContext context) throws Exception {
        InetAddress loopback = InetAddress.getByName("127.0.0.1");
        SSLServerSocket listener = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(0, 5, loopback);
        SSLParameters parameters = parameters(order, listener.getSSLParameters());
        parameters.setNeedClientAuth(order.containsKey("want_client"));
        listener.setSSLParameters(parameters);
        listener.setSoTimeout(PATIENCE);
        answer(order, "port=" + listener.getLocalPort());
        return listener;
    }

    static SSLParameters parameters(Map<String, String> order, SSLParameters parameters) {
        parameters.setProtocols(new String[] {"TLSv" + order.get("version")});
        parameters.setCipherSuites(new String[] {order.get("suite")});
        if (!order.get("alpn").isEmpty()) parameters.setApplicationProtocols(order.get("alpn").split(","));
        return parameters;
    }

    // The conversation, in as many rounds as there are chunks; then the other side's close_notify.
    static void talk(Map<String, String> order, SSLSocket socket, OutputStream received) throws Exception {
        InputStream in = socket.getInputStream();
        OutputStream out = socket.getOutputStream();
        byte[] data = Files.readAllBytes(Path.of(order.get("send")));
        String[] chunks = order.get("chunks").split(","), sizes = order.get("sizes").split(",");
        boolean client = order.get("role").equals("client");
        int sent = 0;
        for (int turn = 0; turn < chunks.length; turn++) {
            int size = Integer.parseInt(sizes[turn]), chunk = Integer.parseInt(chunks[turn]);
            if (client) out.write(data, sent, chunk);
            byte[] got = in.readNBytes(size);
            received.write(got);
            if (got.length < size) throw new EOFException("the other side ended too early");
            if (!client) out.write(data, sent, chunk);
            sent += chunk;
        }
        if (in.read() >= 0) throw new IOException("more data than expected");
    }

    static Map<String, String> look(Map<String, String> order, SSLSocket socket) throws Exception {
        SSLSession session = socket.getSession();
        Map<String, String> seen = new LinkedHashMap<>();
        seen.put("version", session.getProtocol().replace("TLSv", ""));
        seen.put("suite", session.getCipherSuite());
        seen.put("alpn", socket.getApplicationProtocol());
        if (!order.get("ocsp").isEmpty() && order.get("role").equals("client")) {
            List<byte[]> stapled = ((ExtendedSSLSession) session).getStatusResponses();
            byte[] response = stapled.isEmpty() ? new byte[0] : stapled.get(0);
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(response);
            seen.put("ocsp", HexFormat.of().formatHex(digest));
        }
        return seen;
    }

    static SSLContext context(Map<String, String> order) throws Exception {
        KeyStore roots = KeyStore.getInstance("PKCS12");
        roots.load(null, null);
        try (InputStream file = Files.newInputStream(Path.of(order.get("ca")))) {
            roots.setCertificateEntry("root", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(roots);
        KeyManager[] keys = order.containsKey("p12") ? new KeyManager[] {new Keys(order)} : null;
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys, trust.getTrustManagers(), null);
        return context;
    }

    // One identity, or one more for its name: JSSE's own manager does not choose by server name.
    static class Keys extends X509ExtendedKeyManager {
        final Map<String, X509ExtendedKeyManager> managers = new HashMap<>();
        final String otherName;

        Keys(Map<String, String> order) throws Exception {
            managers.put("main", load(order.get("p12")));
            if (order.containsKey("other_p12")) managers.put("other", load(order.get("other_p12")));
            otherName = order.getOrDefault("other_name", "");
        }

        static X509ExtendedKeyManager load(String path) throws Exception {
            KeyStore store = KeyStore.getInstance("PKCS12");
            try (InputStream file = Files.newInputStream(Path.of(path))) {
                store.load(file, PASSWORD);
            }
            KeyManagerFactory factory = KeyManagerFactory.getInstance("PKIX");
            factory.init(store, PASSWORD);
            return (X509ExtendedKeyManager) factory.getKeyManagers()[0];
        }

        String named(String which, String alias) {
            return alias == null ? null : which + ":" + alias;
        }

        X509ExtendedKeyManager of(String alias) {
            return managers.get(alias.substring(0, alias.indexOf(':')));
        }

        String plain(String alias) {
            return alias.substring(alias.indexOf(':') + 1);
        }

        public String chooseServerAlias(String type, Principal[] issuers, Socket socket) {
            ExtendedSSLSession session = (ExtendedSSLSession) ((SSLSocket) socket).getHandshakeSession();
            boolean other = managers.containsKey("other") && session.getRequestedServerNames().stream()
                .anyMatch(name -> ((SNIHostName) name).getAsciiName().equals(otherName));
            String which = other ? "other" : "main";
            return named(which, managers.get(which).chooseServerAlias(type, issuers, socket));
        }

        public String chooseClientAlias(String[] types, Principal[] issuers, Socket socket) {
            return named("main", managers.get("main").chooseClientAlias(types, issuers, socket));
        }

        public X509Certificate[] getCertificateChain(String alias) {
            return of(alias).getCertificateChain(plain(alias));
        }

        public PrivateKey getPrivateKey(String alias) {
            return of(alias).getPrivateKey(plain(alias));
        }

        public String[] getClientAliases(String type, Principal[] issuers) {
            return null;
        }

        public String[] getServerAliases(String type, Principal[] issuers) {
            return null;
        }
    }
}
