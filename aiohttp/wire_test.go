package aiohttp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// What is read and written, without a loop.

func parse(text, method string) (*http.Response, framing, error) {
	head, err := readHead(bufio.NewReader(strings.NewReader(text)), nil, 1<<20)
	if err != nil {
		return nil, 0, err
	}
	return parseResponse(string(head), &http.Request{Method: method})
}

func TestParseResponse_rejectsWhatIsNotHTTP1(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "EOF"},
		{"HTTP/1.1 200 OK\r\n", "unexpected EOF"},
		{"HTTP/1.1 200 OK\r\nA: b", "unexpected EOF"},
		{"\r\nHTTP/1.1 200 OK\r\n\r\n", `malformed HTTP response ""`},
		{"SSH-2.0-OpenSSH_9.2\r\n\r\n", `malformed HTTP response "SSH-2.0-OpenSSH_9.2"`},
		{"HTTP/1.1\r\n\r\n", `malformed status line "HTTP/1.1"`},
		{"HTTP/2.0 200 OK\r\n\r\n", `malformed status line "HTTP/2.0 200 OK"`},
		{"HTTP/1.x 200 OK\r\n\r\n", `malformed status line "HTTP/1.x 200 OK"`},
		{"HTTP/1.1 2000 OK\r\n\r\n", `malformed status code "2000"`},
		{"HTTP/1.1 099 OK\r\n\r\n", `malformed status code "099"`},
		{"HTTP/1.1 +20 OK\r\n\r\n", `malformed status code "+20"`},
		{"\x15\x03\x01\x00\x02\x02\n\n", "the server speaks TLS on this port; use https"},
		{"\x00\x00\x12\x04\x00\x00\x00\n\n", "the server speaks HTTP/2 without being asked; HTTP/1.1 is needed"},
		{"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n", `malformed header line "No colon"`},
		{"HTTP/1.1 200 OK\r\n: v\r\n\r\n", `malformed header line ": v"`},
		{"HTTP/1.1 200 OK\r\n Folded: v\r\n\r\n", `malformed header line " Folded: v"`},
		{"HTTP/1.1 200 OK\r\nA\x00: v\r\n\r\n", `malformed header line "A\x00: v"`},
		{"HTTP/1.1 200 OK\r\nA: v\x00\r\n\r\n", `malformed header line "A: v\x00"`},
		{"HTTP/1.1 200 OK\r\nA: v\rB: w\r\n\r\n", `malformed header line "A: v\rB: w"`},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", `malformed Content-Length "5, 6"`},
		{"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", `malformed Content-Length "-1"`},
		{"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n", `malformed Content-Length "9999999999999999999"`},
		{"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n", `malformed Content-Length ""`},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", `malformed Transfer-Encoding "gzip, chunked"`},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n", `malformed trailer field "Content-Length"`},
		{"HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 1001) + "\r\n", "header has more than 1000 fields"},
		{strings.Repeat("z", 100) + "\r\n\r\n", `malformed HTTP response "` + strings.Repeat("z", 64) + `"... (100 bytes)`},
	} {
		_, _, err := parse(c.in, "GET")
		if err == nil || err.Error() != c.want {
			t.Errorf("%.60q:\n got %v\nwant %s", c.in, err, c.want)
		}
	}
}

func TestParseResponse_framing(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, c := range []struct {
		method, in string
		want       framing
		length     int64
		close      bool
	}{
		{"GET", ok + "Content-Length: 5\r\n\r\n", byLength, 5, false},
		{"GET", ok + "Content-Length: 0\r\n\r\n", noBody, 0, false},
		{"HEAD", ok + "Content-Length: 5\r\n\r\n", noBody, 5, false},
		{"GET", ok + "Transfer-Encoding: Chunked\r\n\r\n", byChunks, -1, false},
		{"GET", ok + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", byChunks, -1, true},
		{"GET", ok + "\r\n", untilClose, -1, true},
		{"GET", "HTTP/1.1 204 No Content\r\n\r\n", noBody, 0, false},
		{"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", noBody, 0, false},
		{"GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", byLength, 5, true},
		{"GET", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\n", byLength, 5, false},
		{"GET", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", untilClose, -1, true},
		{"GET", ok + "Connection: foo, close\r\nContent-Length: 5\r\n\r\n", byLength, 5, true},
	} {
		resp, frame, err := parse(c.in, c.method)
		if err != nil {
			t.Errorf("%s %q: %v", c.method, c.in, err)
			continue
		}
		if frame != c.want || resp.ContentLength != c.length || resp.Close != c.close {
			t.Errorf("%s %q: framing %d, length %d, close %v; want %d, %d, %v", c.method, c.in,
				frame, resp.ContentLength, resp.Close, c.want, c.length, c.close)
		}
	}
}

func TestReadHead_isTheSameHoweverTheBytesCome(t *testing.T) {
	in := "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("long", 5000) + "\r\nB: folded\r\n \t on\n\nbody"
	for _, size := range []int{16, 100, 4096} {
		r := bufio.NewReaderSize(iotest.OneByteReader(strings.NewReader(in)), size)
		head, err := readHead(r, nil, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		resp, _, err := parseResponse(string(head), &http.Request{})
		if err != nil {
			t.Fatal(err)
		}
		if len(resp.Header["A"][0]) != 20_000 || resp.Header["B"][0] != "folded on" {
			t.Errorf("%v", resp.Header)
		}
		if rest, _ := io.ReadAll(r); string(rest) != "body" {
			t.Errorf("rest %q", rest)
		}
	}
}

func TestReadHead_endlessHeader_stopsAtTheLimit(t *testing.T) {
	read := 0
	r := bufio.NewReader(readerFunc(func(p []byte) (int, error) {
		read += len(p)
		return copy(p, bytes.Repeat([]byte("x"), len(p))), nil
	}))
	if _, err := readHead(r, nil, 10_000); err != errHeadTooLarge {
		t.Error(err)
	}
	if read > 20_000 {
		t.Errorf("read %d bytes", read)
	}
}

// FuzzParseResponse compares with net/http: what we accept it must accept, too,
// and understand in the same way. (We are stricter about the first line, about
// the number of fields, and HTTP/1.0 with chunks.)
func FuzzParseResponse(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.0 404 Not Found\nConnection: keep-alive\nSet-Cookie: a\nset-cookie: b\n\n",
		"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nD : e\r\n\r\n",
		"HTTP/1.1 204 \r\n\r\n", "HTTP/1.1 200\r\n\r\n", "HTTP/1.1  304 x\r\n\r\n", "HTTP/1.1 101 x\r\nUpgrade: y\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length:  5\r\n\r\nhello",
		"HTTP/1.0 100 \nfolded without \n a colon:\n\n",
		"HTTP/1.1 100 \nTrAnsfer-EnCoding:Chunked\n \n\n",
	} {
		f.Add(s, "GET")
		f.Add(s, "HEAD")
	}
	f.Fuzz(func(t *testing.T, in, method string) {
		r := bufio.NewReaderSize(strings.NewReader(in), 64)
		head, err := readHead(r, nil, 1<<16)
		if err != nil {
			return
		}
		got, frame, err := parseResponse(string(head), &http.Request{Method: method})
		if err != nil {
			return
		}
		want, err := http.ReadResponse(bufio.NewReader(strings.NewReader(in)), &http.Request{Method: method})
		if err != nil {
			t.Fatalf("net/http rejects %q: %v", in, err)
		}
		want.Header.Del("Cache-Control") // which net/http makes up from Pragma
		got.Header.Del("Cache-Control")
		if got.StatusCode != want.StatusCode || got.Status != want.Status || got.Proto != want.Proto ||
			!sameHeader(got.Header, want.Header) || !sameHeader(got.Trailer, want.Trailer) {
			t.Fatalf("%q:\n got %+v\nwant %+v", in, got, want)
		}
		gotBody, gotErr := readBody(r, got, frame)
		wantBody, wantErr := io.ReadAll(want.Body)
		if gotErr == nil && wantErr == nil && !bytes.Equal(gotBody, wantBody) {
			t.Fatalf("%q: body %q, want %q", in, gotBody, wantBody)
		}
		if gotErr == nil && wantErr != nil && !strings.Contains(wantErr.Error(), "trailer") { // whose lines may end as a header's
			t.Fatalf("%q: net/http rejects the body: %v", in, wantErr)
		}
	})
}

func sameHeader(a, b http.Header) bool { return maps.EqualFunc(a, b, slices.Equal) }

func readBody(r *bufio.Reader, resp *http.Response, frame framing) ([]byte, error) {
	if frame == noBody {
		return nil, nil
	}
	b := &body{c: &conn{buffers: &buffers{r: r}}, resp: resp, frame: frame, left: resp.ContentLength}
	return io.ReadAll(readerFunc(b.read))
}

func decode(in string, size int) ([]byte, http.Header, error) {
	var c chunks
	r := bufio.NewReaderSize(iotest.HalfReader(strings.NewReader(in)), size)
	b, err := io.ReadAll(readerFunc(func(p []byte) (int, error) { return c.read(r, p) }))
	return b, c.trailer, err
}

func TestChunks_rejectsWhatIsNotChunked(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "unexpected EOF"},
		{"5\r\nhell", "unexpected EOF"},
		{"5\r\nhello", "unexpected EOF"},
		{"5\r\nhello\r\n", "unexpected EOF"},
		{"5\r\nhello\r\n0\r\n", "unexpected EOF"},
		{"5\r\nhelloworld", `malformed end of chunk "wo"`},
		{"5\nhello\r\n0\r\n\r\n", `malformed chunk size "5\n"`},
		{"5\r;\r\nhello\r\n0\r\n\r\n", `malformed chunk size "5\r;\r\n"`},
		{"\r\n", `malformed chunk size "\r\n"`},
		{";ext\r\n", `malformed chunk size ";ext\r\n"`},
		{"-5\r\nhello\r\n", `malformed chunk size "-5\r\n"`},
		{"0x5\r\nhello\r\n", `malformed chunk size "0x5\r\n"`},
		{"ffffffffffffffff\r\n", `malformed chunk size "ffffffffffffffff\r\n"`},
		{"5;" + strings.Repeat("e", 5000) + "\r\nhello\r\n", "chunk extension exceeds 4096 bytes"},
		{strings.Repeat("1;"+strings.Repeat("e", 1000)+"\r\nx\r\n", 20), "chunked body has too little data for its overhead"},
		{"0\r\nBad\r\n\r\n", `malformed header line "Bad"`},
		{"0\r\nA: " + strings.Repeat("a", 20_000) + "\r\n\r\n", "trailer exceeds 16384 bytes"},
	} {
		_, _, err := decode(c.in, 4096)
		if err == nil || err.Error() != c.want {
			t.Errorf("%.60q:\n got %v\nwant %s", c.in, err, c.want)
		}
	}
}

func TestChunks_data(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"0\r\n\r\n", ""},
		{"5\r\nhello\r\n6 ; a=b\r\n world\r\n000\r\nT: v\r\n\r\n", "hello world"},
		{"A\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
		{strings.Repeat("1\r\nx\r\n", 10_000) + "0\r\n\r\n", strings.Repeat("x", 10_000)},
	} {
		for _, size := range []int{16, 4096} {
			if b, _, err := decode(c.in, size); err != nil || string(b) != c.want {
				t.Errorf("%.40q: %.40q, %v", c.in, b, err)
			}
		}
	}
}

// A reader must get what has come, and not be kept waiting for more.
func TestChunks_returnsWhatHasCome(t *testing.T) {
	stuck := readerFunc(func([]byte) (int, error) { return 0, errors.New("waited") })
	for _, in := range []string{"5\r\nhello", "5\r\nhello\r", "5\r\nhello\r\n", "5\r\nhello\r\n3", "5\r\nhello\r\n3\r\n", "5\r\nhello\r\n0\r\n", "9\r\nhello"} {
		var c chunks
		r := bufio.NewReader(io.MultiReader(strings.NewReader(in), stuck))
		p := make([]byte, 100)
		if n, err := c.read(r, p); err != nil || string(p[:n]) != "hello" {
			t.Errorf("%q: %q, %v", in, p[:n], err)
		}
	}
}

func FuzzChunks(f *testing.F) {
	f.Add("5\r\nhello\r\n0\r\n\r\n", 16)
	f.Add("5;ext\r\nhello\r\n3\r\nabc\r\n0\r\nT: v\r\n\r\n", 100)
	f.Add("fffffffffffffff\r\n", 20)
	f.Fuzz(func(t *testing.T, in string, size int) {
		got, _, err := decode(in, min(max(size, 16), 5000))
		if err != nil {
			return
		}
		want, err := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(in)))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%q: got %q, want %q, %v", in, got, want, err)
		}
	})
}

// What appendHead writes net/http's server must understand as it understands
// what net/http's client writes.
func TestAppendHead_saysWhatNetHTTPSays(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"plain":      func(r *http.Request) {},
		"POST":       func(r *http.Request) { r.Method = "POST" },
		"no method":  func(r *http.Request) { r.Method = "" },
		"close":      func(r *http.Request) { r.Close = true },
		"own host":   func(r *http.Request) { r.Host = "other.example" },
		"IDN":        func(r *http.Request) { r.Host = "bücher.example:8080" },
		"zone":       func(r *http.Request) { r.Host = "[fe80::1%25en0]:80" },
		"opaque":     func(r *http.Request) { r.URL.Opaque = "//x/y" },
		"CONNECT":    func(r *http.Request) { r.Method, r.URL = "CONNECT", &url.URL{Scheme: "http", Host: "a.example:443"} },
		"no agent":   func(r *http.Request) { r.Header["User-Agent"] = []string{""} },
		"many":       func(r *http.Request) { r.Header["X"] = []string{"b", "a", " c "} },
		"overridden": func(r *http.Request) { r.Header["Host"], r.Header["Content-Length"] = []string{"evil"}, []string{"7"} },
		"sized": func(r *http.Request) {
			r.Method, r.Body, r.ContentLength = "PUT", io.NopCloser(strings.NewReader("12345")), 5
		},
		"trailer": func(r *http.Request) {
			r.Method, r.Body, r.ContentLength = "PUT", io.NopCloser(strings.NewReader("12345")), -1
			r.Trailer = http.Header{"B": {"2"}, "A": {"1"}}
			r.TransferEncoding = []string{"chunked"}
		},
	} {
		req, _ := http.NewRequest("GET", "http://user:pw@a.example:81/p%20q?x=1#frag", nil)
		req.Header.Set("User-Agent", "test")
		change(req)
		var want bytes.Buffer
		wantErr := req.Clone(t.Context()).Write(&want)
		if req.Body != nil {
			req.Body = io.NopCloser(strings.NewReader("12345"))
		}
		got, err := appendHead(nil, req, &target{}, wishes{close: req.Close})
		if (err != nil) != (wantErr != nil) {
			t.Errorf("%s: %v, want %v", name, err, wantErr)
			continue
		}
		head, _, _ := bytes.Cut(want.Bytes(), []byte("\r\n\r\n"))
		if err == nil && !reflect.DeepEqual(lines(got), lines(head)) {
			t.Errorf("%s:\n got %q\nwant %q", name, lines(got), lines(head))
		}
	}
}

func lines(head []byte) []string {
	ls := strings.Split(strings.TrimRight(string(head), "\r\n"), "\r\n")
	slices.Sort(ls[1:])
	return ls
}

func TestAppendHead_equalRequestsAreEqualBytes(t *testing.T) {
	req, _ := http.NewRequest("GET", "http://a.example/", nil)
	for _, k := range strings.Fields("Z A M Q B Y C X D W E V F U") {
		req.Header.Set(k, "1")
	}
	first, _ := appendHead(nil, req, &target{}, wishes{gzip: true})
	for range 20 {
		if again, _ := appendHead(nil, req, &target{}, wishes{gzip: true}); !bytes.Equal(first, again) {
			t.Fatalf("%s\n%s", first, again)
		}
	}
}
