package aiohttp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// maxHeaderFields bounds the fields of one header. A field costs some hundred
// bytes however short it is, which a limit in bytes alone would let a peer use.
const maxHeaderFields = 1000

var errHeadTooLarge = errors.New("header too large")

// readHead appends to dst the lines that come before the next empty one, line
// ends included, and consumes the empty one, too. It reads at most limit bytes
// and one buffer beyond.
func readHead(r *bufio.Reader, dst []byte, limit int64) ([]byte, error) {
	line := len(dst) // where the current line begins
	for {
		part, err := r.ReadSlice('\n')
		dst = append(dst, part...)
		if int64(len(dst)) > limit {
			return dst, errHeadTooLarge
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(dst) > 0:
			return dst, io.ErrUnexpectedEOF
		case err != nil:
			return dst, err
		case emptyLine(dst[line:]):
			return dst[:line], nil
		}
		line = len(dst)
	}
}

func emptyLine(line []byte) bool {
	return len(line) == 1 || len(line) == 2 && line[0] == '\r'
}

// cutLine returns lines without its first one, and that without its end.
func cutLine(lines string) (line, rest string) {
	line, rest, _ = strings.Cut(lines, "\n")
	return strings.TrimSuffix(line, "\r"), rest
}

// parseHeader parses the fields of a head that readHead returned. All values
// are parts of lines: a header costs its map, one slice and the names that are
// not well-known.
func parseHeader(lines string) (http.Header, error) {
	n := strings.Count(lines, "\n")
	if n > maxHeaderFields {
		return nil, ProtocolError(fmt.Sprintf("header has more than %d fields", maxHeaderFields))
	}
	h := make(http.Header, n)
	values := make([]string, n)
	for lines != "" {
		var line string
		line, lines = cutLine(lines)
		name, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if continued(lines) {
			value, lines = unfold(value, lines)
		}
		key, known := canonicalKey(name)
		if !ok || !known || !httpguts.ValidHeaderFieldValue(value) {
			return nil, malformed("header line", line)
		}
		if old := h[key]; old != nil {
			h[key] = append(old, value)
			continue
		}
		values[0] = value
		h[key], values = values[:1:1], values[1:]
	}
	return h, nil
}

// continued reports whether the next line goes on with the one before it, a
// form that is deprecated but still met.
func continued(lines string) bool {
	return lines != "" && (lines[0] == ' ' || lines[0] == '\t')
}

// unfold joins value with the lines that go on with it, by single spaces. As in
// net/http, one that is blank leaves a space at the end.
func unfold(value, lines string) (unfolded, rest string) {
	var b strings.Builder
	b.WriteString(value)
	for continued(lines) {
		var line string
		line, lines = cutLine(lines)
		b.WriteByte(' ')
		b.WriteString(strings.Trim(line, " \t"))
	}
	return strings.TrimLeft(b.String(), " "), lines
}

// canonicalKey returns the canonical form of a field's name and whether it can
// be one. As in net/http, a space is let pass but never matches a known name.
func canonicalKey(name string) (string, bool) {
	if key, ok := commonKeys[name]; ok {
		return key, true
	}
	if httpguts.ValidHeaderFieldName(name) {
		return textproto.CanonicalMIMEHeaderKey(name), true
	}
	if name == "" || name[0] == ' ' || name[0] == '\t' {
		return "", false
	}
	return name, httpguts.ValidHeaderFieldName(strings.ReplaceAll(name, " ", ""))
}

// commonKeys has the names that most responses consist of, as they are usually
// spelled and in lower case.
var commonKeys = func() map[string]string {
	keys := map[string]string{}
	for _, k := range strings.Fields(`Accept-Ranges Access-Control-Allow-Origin Age Alt-Svc
		Cache-Control Connection Content-Disposition Content-Encoding Content-Language
		Content-Length Content-Location Content-Range Content-Security-Policy Content-Type
		Date Etag Expires Keep-Alive Last-Modified Link Location Permissions-Policy Pragma
		Referrer-Policy Retry-After Server Set-Cookie Strict-Transport-Security Trailer
		Transfer-Encoding Upgrade Vary Via Www-Authenticate X-Cache X-Content-Type-Options
		X-Frame-Options X-Powered-By X-Request-Id X-Xss-Protection`) {
		keys[k], keys[strings.ToLower(k)] = k, k
	}
	keys["ETag"] = "Etag"
	return keys
}()
