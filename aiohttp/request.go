package aiohttp

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// userAgent is sent when a request's header has no User-Agent; one that is
// empty sends none.
const userAgent = "go-asyncio"

// checkRequest finds what would make a request that is wrong on the wire.
func checkRequest(req *http.Request) error {
	switch {
	case req.URL == nil:
		return errors.New("no URL")
	case req.Header == nil:
		return errors.New("no header map; make it with http.NewRequest")
	case req.URL.Scheme != "http" && req.URL.Scheme != "https":
		return fmt.Errorf("unsupported scheme %q, want http or https", req.URL.Scheme)
	case req.URL.Host == "":
		return errors.New("no host in the URL")
	case req.Method != "" && !httpguts.ValidHeaderFieldName(req.Method): // a token, too
		return fmt.Errorf("invalid method %q", req.Method)
	}
	if err := checkHeader(req.Header); err != nil {
		return err
	}
	return checkHeader(req.Trailer)
}

func checkHeader(h http.Header) error {
	var bad string
	found := false
	for name, values := range h {
		if !validField(name, values) && (!found || name < bad) {
			bad, found = name, true // of several, always the same one is reported
		}
	}
	switch {
	case !found:
		return nil
	case !httpguts.ValidHeaderFieldName(bad):
		return fmt.Errorf("invalid header field name %q", bad)
	default:
		return fmt.Errorf("invalid value of header field %s", bad) // the value may be a secret
	}
}

func validField(name string, values []string) bool {
	return httpguts.ValidHeaderFieldName(name) &&
		!slices.ContainsFunc(values, func(v string) bool { return !httpguts.ValidHeaderFieldValue(v) })
}

// unknownLength is bodyLength's answer when only reading the body would tell.
const unknownLength = -1

func bodyLength(req *http.Request) int64 {
	switch {
	case req.Body == nil || req.Body == http.NoBody:
		return 0
	case req.ContentLength > 0 && len(req.Trailer) == 0 && len(req.TransferEncoding) == 0:
		return req.ContentLength
	}
	return unknownLength
}

// A target says where a request goes: what the pool keys on and the first line
// of the request needs.
type target struct {
	proxy *url.URL // nil for a direct connection
	https bool
	host  string // without brackets
	port  string
}

// tunnelled reports whether the proxy passes on bytes, not requests.
func (g *target) tunnelled() bool {
	return g.proxy != nil && (g.https || strings.HasPrefix(g.proxy.Scheme, "socks5"))
}

// forwarded reports whether the proxy reads the request and passes it on.
func (g *target) forwarded() bool { return g.proxy != nil && !g.tunnelled() }

// wishes are what a request asks for besides what it says itself.
type wishes struct {
	gzip  bool // the body in that encoding
	close bool // the connection's end after the response
}

// appendHead appends the request's first line and header, the empty line
// included.
func appendHead(b []byte, req *http.Request, g *target, w wishes) ([]byte, error) {
	host, uri, err := hostAndURI(req, g)
	if err != nil {
		return b, err
	}
	method := req.Method
	if method == "" {
		method = http.MethodGet
	}
	b = append(b, method...)
	b = append(b, ' ')
	b = append(b, uri...)
	b = append(b, " HTTP/1.1\r\n"...)
	b = appendField(b, "Host", host)
	if values, ok := req.Header["User-Agent"]; !ok {
		b = appendField(b, "User-Agent", userAgent)
	} else if len(values) > 0 && values[0] != "" {
		b = appendField(b, "User-Agent", values[0])
	}
	b = appendFraming(b, req, method)
	b = appendFields(b, req.Header)
	if w.gzip {
		b = appendField(b, "Accept-Encoding", "gzip")
	}
	if w.close && len(req.Header["Connection"]) == 0 {
		b = appendField(b, "Connection", "close")
	}
	if g.forwarded() && g.proxy.User != nil && req.Header.Get("Proxy-Authorization") == "" {
		b = appendField(b, "Proxy-Authorization", basicAuth(g.proxy.User))
	}
	return append(b, "\r\n"...), nil
}

func hostAndURI(req *http.Request, g *target) (host, uri string, err error) {
	host = req.Host
	if host == "" {
		host = req.URL.Host
	}
	if host, err = httpguts.PunycodeHostPort(host); err != nil {
		return "", "", err
	}
	if !httpguts.ValidHostHeader(host) {
		return "", "", fmt.Errorf("invalid host %q", host)
	}
	host = removeZone(host)
	uri = req.URL.RequestURI()
	switch {
	case g.forwarded() && req.URL.Opaque == "":
		uri = req.URL.Scheme + "://" + host + uri
	case req.Method == http.MethodConnect && req.URL.Path == "":
		if uri = req.URL.Opaque; uri == "" {
			uri = host
		}
	}
	for i := range len(uri) {
		if uri[i] <= ' ' || uri[i] == 0x7f {
			return "", "", errors.New("control character or space in the URL")
		}
	}
	return host, uri, nil
}

// removeZone takes the zone out of an IPv6 address, which means nothing to
// others: "[fe80::1%en0]:80" becomes "[fe80::1]:80".
func removeZone(host string) string {
	if !strings.HasPrefix(host, "[") {
		return host
	}
	end := strings.LastIndexByte(host, ']')
	zone := strings.IndexByte(host[:max(end, 0)], '%')
	if zone < 0 {
		return host
	}
	return host[:zone] + host[end:]
}

// appendFraming says how long the body is.
func appendFraming(b []byte, req *http.Request, method string) []byte {
	switch n := bodyLength(req); {
	case n == unknownLength:
		b = appendField(b, "Transfer-Encoding", "chunked")
		if len(req.Trailer) > 0 {
			b = appendField(b, "Trailer", strings.Join(sortedKeys(make([]string, 0, 8), req.Trailer), ","))
		}
	case n > 0 || method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, n, 10)
		b = append(b, "\r\n"...)
	}
	return b
}

// appendFields appends h in the order of its keys, so that equal requests are
// equal bytes.
func appendFields(b []byte, h http.Header) []byte {
	if len(h) == 0 {
		return b
	}
	var space [16]string
	for _, key := range sortedKeys(space[:0], h) {
		switch key {
		case "Host", "User-Agent", "Content-Length", "Transfer-Encoding", "Trailer":
			continue // follow from the request's fields
		}
		for _, value := range h[key] {
			b = appendField(b, key, value)
		}
	}
	return b
}

func sortedKeys(keys []string, h http.Header) []string {
	for key := range h {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// appendField appends one line. Line ends in a value, which checkHeader lets
// pass as white space, become spaces.
func appendField(b []byte, key, value string) []byte {
	b = append(b, key...)
	b = append(b, ": "...)
	start := len(b)
	b = append(b, strings.Trim(value, " \t\r\n")...)
	for i := start; i < len(b); i++ {
		if b[i] == '\r' || b[i] == '\n' {
			b[i] = ' '
		}
	}
	return append(b, "\r\n"...)
}

// lengthWriter passes on at most as many bytes as a request's header promised.
type lengthWriter struct {
	w    io.Writer
	left int64
	err  error // of w
}

func (l *lengthWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		return 0, errors.New("the request's body is longer than its ContentLength")
	}
	n, err := l.w.Write(p)
	l.left -= int64(n)
	l.err = err
	return n, err
}

// writeSized writes a body of a known length. sent is what became of the
// writing as such; err also includes failures of the body itself.
func writeSized(w io.Writer, body io.Reader, length int64, buf []byte) (sent, err error) {
	l := &lengthWriter{w: w, left: length}
	_, err = io.CopyBuffer(l, body, buf)
	if err == nil && l.left > 0 {
		err = fmt.Errorf("the request's body is %d bytes shorter than its ContentLength", l.left)
	}
	return l.err, err
}

// chunkMargin is the room that a chunk of up to 64 KiB needs before its data.
const chunkMargin = len("ffff\r\n")

// writeChunked writes a body of unknown length, as it comes: what one Read
// returned is one chunk and one Write. buf is at most 64 KiB. Results are those
// of writeSized.
func writeChunked(w io.Writer, req *http.Request, buf []byte) (sent, err error) {
	for {
		n, err := req.Body.Read(buf[chunkMargin : len(buf)-2])
		if err != nil && err != io.EOF {
			return nil, err
		}
		out := buf[:0]
		if n > 0 {
			out = sealChunk(buf, n)
		}
		if err == io.EOF {
			out = appendLastChunk(out, req.Trailer)
		}
		if len(out) > 0 {
			if _, err := w.Write(out); err != nil {
				return err, err
			}
		}
		if err == io.EOF {
			return nil, nil
		}
	}
}

// sealChunk puts a size and a line end around the n bytes in buf.
func sealChunk(buf []byte, n int) []byte {
	var digits [4]byte
	size := strconv.AppendInt(digits[:0], int64(n), 16)
	start := chunkMargin - 2 - len(size)
	copy(buf[start:], size)
	copy(buf[chunkMargin-2:], "\r\n")
	end := chunkMargin + n
	copy(buf[end:], "\r\n")
	return buf[start : end+2]
}

func appendLastChunk(b []byte, trailer http.Header) []byte {
	b = append(b, "0\r\n"...)
	b = appendFields(b, trailer)
	return append(b, "\r\n"...)
}
