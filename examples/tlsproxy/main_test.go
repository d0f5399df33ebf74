//go:build unix

package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio/internal/leakcheck"
)

// The test binary is the command when this is set.
const asCommand = "TLSPROXY_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	leakcheck.Main(m)
}

// identity writes a certificate for name, signed by itself, and its key into dir.
func identity(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{name},
		NotAfter:     time.Now().Add(time.Hour),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	template.Subject.CommonName = name
	der, err := x509.CreateCertificate(nil, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, name+".cert"), filepath.Join(dir, name+".key")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// process is the program in a process of its own, as shop.example.
type process struct {
	*exec.Cmd
	addr    string
	dir     string // where its certificate and key are
	trusted string // file with certificates that clients trust
	stderr  *bufio.Reader
}

func start(t *testing.T, to string, args ...string) *process {
	t.Helper()
	dir := t.TempDir()
	cert, key := identity(t, dir, "shop.example")
	trusted := filepath.Join(dir, "trusted")
	if err := os.Link(cert, trusted); err != nil { // stays when the certificate is replaced
		t.Fatal(err)
	}
	args = append([]string{"-listen", "127.0.0.1:0", "-to", to, "-cert", cert, "-key", key}, args...)
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		t.Fatalf("the program says %q, %v", line, err)
	}
	return &process{cmd, addr, dir, trusted, bufio.NewReader(stderr)}
}

func (p *process) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := p.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// says expects a line with want.
func (p *process) says(t *testing.T, want string) {
	t.Helper()
	if line, err := p.stderr.ReadString('\n'); !strings.Contains(line, want) {
		t.Errorf("it says %q, %v, want %q", line, err, want)
	}
}

// client is a client in Go, which can close one direction only.
func (p *process) client(t *testing.T) *tls.Conn {
	t.Helper()
	text, err := os.ReadFile(p.trusted)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(text)
	c, err := tls.Dial("tcp", p.addr, &tls.Config{ServerName: "shop.example", RootCAs: trusted})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// sClient starts openssl's client, which trusts the certificate that there was at the start.
func (p *process) sClient(t *testing.T, args ...string) (cmd *exec.Cmd, in io.WriteCloser, out *bufio.Reader) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	args = append([]string{"s_client", "-connect", p.addr, "-servername", "shop.example", "-verify_hostname", "shop.example",
		"-CAfile", p.trusted, "-verify_return_error", "-nocommands"}, args...)
	cmd = exec.Command(path, args...)
	if in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	err = cmd.Start()
	write.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); read.Close() })
	return cmd, in, bufio.NewReader(read)
}

// until reads lines up to one that has want in it, and returns all of them.
func until(t *testing.T, out *bufio.Reader, want string) string {
	t.Helper()
	var all strings.Builder
	for {
		line, err := out.ReadString('\n')
		all.WriteString(line)
		if strings.Contains(line, want) {
			return all.String()
		}
		if err != nil {
			t.Fatalf("there is no %q in\n%s", want, &all)
		}
	}
}

// backend is a plain service; each connection is handed to serve.
func backend(t *testing.T, serve func(c *net.TCPConn)) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c.(*net.TCPConn))
			}()
		}
	}()
	return ln.Addr().String()
}

// echo answers at once.
func echo(c *net.TCPConn) { _, _ = io.Copy(c, c) }

// answer answers once it has had everything, so it needs half-closes.
func answer(c *net.TCPConn) {
	if all, err := io.ReadAll(c); err == nil {
		_, _ = c.Write(all)
	}
}

func TestProxy_curlFetchesThroughIt(t *testing.T) {
	page := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(page) }))
	defer web.Close()
	p := start(t, strings.TrimPrefix(web.URL, "http://"), "-alpn", "http/1.1")
	_, port, _ := net.SplitHostPort(p.addr)
	got, err := exec.Command("curl", "-sS", "--cacert", p.trusted, "--connect-to", "shop.example:443:127.0.0.1:"+port,
		"https://shop.example/a").Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("curl is not installed")
	}
	if err != nil || !bytes.Equal(got, page) {
		t.Errorf("curl got %d bytes, %v, want %d", len(got), err, len(page))
	}
}

func TestProxy_opensslAgreesOnTheProtocol(t *testing.T) {
	p := start(t, backend(t, echo), "-alpn", "other", "-alpn", "http/1.1")
	_, in, out := p.sClient(t, "-alpn", "h2,http/1.1")
	fmt.Fprintln(in, "hello")
	said := until(t, out, "hello")
	if !strings.Contains(said, "ALPN protocol: http/1.1") || !strings.Contains(said, "Verify return code: 0 (ok)") {
		t.Error(said)
	}
	_, _, out = p.sClient(t, "-alpn", "h2")
	until(t, out, "no application protocol")
}

func TestProxy_goodbye_endsOneDirection(t *testing.T) {
	p := start(t, backend(t, answer))
	c := p.client(t)
	fmt.Fprint(c, "the whole question")
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c) // fails if there is no goodbye in the end
	if string(got) != "the whole question" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// Who is killed says no goodbye. The service must not take what it has for all there is.
func TestProxy_cut_isNoEnd(t *testing.T) {
	type end struct {
		got string
		err error
	}
	ended := make(chan end, 2)
	p := start(t, backend(t, func(c *net.TCPConn) {
		got, err := io.ReadAll(io.TeeReader(c, c))
		ended <- end{string(got), err}
	}))
	for _, kill := range []bool{false, true} {
		cmd, in, out := p.sClient(t)
		fmt.Fprintln(in, "pay 100")
		until(t, out, "pay 100")
		if kill {
			_ = cmd.Process.Kill()
		} else {
			in.Close()
		}
		e := <-ended
		if e.got != "pay 100\n" || errors.Is(e.err, syscall.ECONNRESET) != kill {
			t.Errorf("killed: %v; the service got %q, %v", kill, e.got, e.err)
		}
	}
}

func TestProxy_clientCertificates(t *testing.T) {
	dir := t.TempDir()
	adaCert, adaKey := identity(t, dir, "ada.example")
	eveCert, eveKey := identity(t, dir, "eve.example")
	p := start(t, backend(t, echo), "-client-ca", adaCert)

	_, in, out := p.sClient(t, "-cert", adaCert, "-key", adaKey)
	fmt.Fprintln(in, "it is me")
	until(t, out, "it is me")

	_, _, out = p.sClient(t, "-cert", eveCert, "-key", eveKey)
	until(t, out, "alert")
	p.says(t, "certificate signed by unknown authority")
	_, _, out = p.sClient(t)
	until(t, out, "alert certificate required")
	p.says(t, "didn't provide a certificate")
}

func TestProxy_hangup_loadsTheCertificateAnew(t *testing.T) {
	p := start(t, backend(t, echo))
	_, in, out := p.sClient(t)
	fmt.Fprintln(in, "one")
	until(t, out, "one")

	newCert, newKey := identity(t, t.TempDir(), "shop.example")
	newTrusted, err := os.ReadFile(newCert)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, newCert, filepath.Join(p.dir, "shop.example.cert"))
	p.signal(t, syscall.SIGHUP)
	p.says(t, "the old certificate stays") // the key is another one's
	old := p.client(t).ConnectionState().PeerCertificates[0]

	replace(t, newKey, filepath.Join(p.dir, "shop.example.key"))
	p.signal(t, syscall.SIGHUP)
	p.says(t, "was loaded")
	if err := os.WriteFile(p.trusted, newTrusted, 0o600); err != nil {
		t.Fatal(err)
	}
	if p.client(t).ConnectionState().PeerCertificates[0].Equal(old) {
		t.Error("the certificate is the old one")
	}
	fmt.Fprintln(in, "two")
	until(t, out, "two") // on the connection from before
}

func replace(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestProxy_silence_endsTheConnection(t *testing.T) {
	p := start(t, backend(t, echo), "-idle", "50ms")
	if _, err := io.ReadAll(p.client(t)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a silent connection got %v, want a reset", err)
	}
}

func TestProxy_nobodyThere_resets(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	p := start(t, ln.Addr().String())
	if _, err := io.ReadAll(p.client(t)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
	p.says(t, "dial tcp "+ln.Addr().String())
}

// SIGTERM lets what is under way finish, and refuses what is new.
func TestProxy_terminated_drains(t *testing.T) {
	p := start(t, backend(t, echo))
	_, in, out := p.sClient(t)
	fmt.Fprintln(in, "before")
	until(t, out, "before")
	p.signal(t, syscall.SIGTERM)
	p.refuses()
	fmt.Fprintln(in, "after")
	until(t, out, "after")
	in.Close()
	if err := p.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
}

// refuses waits until the program does not listen any more.
func (p *process) refuses() {
	for {
		c, err := net.Dial("tcp", p.addr)
		if err != nil {
			return
		}
		c.Close()
	}
}

func TestProxy_terminatedTwice_endsAtOnce(t *testing.T) {
	p := start(t, backend(t, echo), "-drain", "1h")
	c := p.client(t)
	p.signal(t, syscall.SIGTERM)
	p.refuses()
	p.signal(t, syscall.SIGTERM)
	_ = p.Wait()
	if status := p.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ends with %v", p.ProcessState)
	}
	c.Close()
}

func TestUsage_wrong_saysWhy(t *testing.T) {
	dir := t.TempDir()
	cert, key := identity(t, dir, "shop.example")
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-to", "localhost:1"}, 2, "-cert"},
		{[]string{"-to", "localhost:1", "-cert", cert, "-key", key, "-max", "0"}, 2, "-max"},
		{[]string{"-to", "localhost:1", "-cert", filepath.Join(dir, "none"), "-key", key}, 1, "no such file"},
		{[]string{"-to", "localhost:1", "-cert", cert, "-key", key, "-client-ca", key}, 1, "there is no certificate in it"},
	} {
		cmd := exec.Command(os.Args[0], c.args...)
		cmd.Env = append(os.Environ(), asCommand+"=1")
		said, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(string(said), c.want) {
			t.Errorf("%q: exit %d, %s", c.args, code, said)
		}
	}
}
