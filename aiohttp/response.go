package aiohttp

import (
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// framing says how a response's body is delimited.
type framing uint8

const (
	noBody     framing = iota
	byLength           // Content-Length
	byChunks           // Transfer-Encoding: chunked
	untilClose         // neither: the connection's end is the body's
)

// parseResponse parses the head of a response to req. The Body is left to the
// caller, who gets to know how it is delimited.
func parseResponse(head string, req *http.Request) (*http.Response, framing, error) {
	line, fields := cutLine(head)
	resp := &http.Response{Request: req}
	if err := parseStatusLine(line, resp); err != nil {
		return nil, noBody, err
	}
	var err error
	if resp.Header, err = parseHeader(fields); err != nil {
		return nil, noBody, err
	}
	frame, err := frameResponse(resp)
	return resp, frame, err
}

func parseStatusLine(line string, resp *http.Response) error {
	proto, status, ok := strings.Cut(line, " ")
	if !ok || len(proto) != len("HTTP/1.1") || !strings.HasPrefix(proto, "HTTP/1.") ||
		proto[7] < '0' || proto[7] > '9' {
		return malformedStart(line)
	}
	resp.Proto, resp.ProtoMajor, resp.ProtoMinor = proto, 1, int(proto[7]-'0')
	resp.Status = strings.TrimLeft(status, " ")
	code, _, _ := strings.Cut(resp.Status, " ")
	n, err := strconv.ParseUint(code, 10, 16)
	if len(code) != 3 || err != nil || n < 100 {
		return malformed("status code", code)
	}
	resp.StatusCode = int(n)
	return nil
}

// malformedStart explains what is not HTTP/1 by what it is likely to be.
func malformedStart(line string) error {
	switch {
	case strings.HasPrefix(line, "HTTP/"):
		return malformed("status line", line)
	case strings.HasPrefix(line, "\x15\x03") || strings.HasPrefix(line, "\x16\x03"):
		return ProtocolError("the server speaks TLS on this port; use https")
	case len(line) > 4 && line[3] == 4 && line[0] == 0:
		return ProtocolError("the server speaks HTTP/2 without being asked; HTTP/1.1 is needed")
	}
	return malformed("HTTP response", line)
}

// frameResponse finds out how the body is delimited (RFC 9112, section 6.3) and
// sets the fields of resp that say so.
func frameResponse(resp *http.Response) (framing, error) {
	h := resp.Header
	resp.Close = wantsClose(resp)
	chunked, err := isChunked(resp)
	if err != nil {
		return noBody, err
	}
	length, err := contentLength(h)
	if err != nil {
		return noBody, err
	}
	if chunked {
		// A peer that sends both is confused, or wants somebody else to be.
		resp.Close = resp.Close || length >= 0
		delete(h, "Content-Length")
		resp.TransferEncoding, length = chunkedEncoding, -1
		if resp.Trailer, err = announcedTrailer(h); err != nil {
			return noBody, err
		}
	}
	resp.ContentLength = length
	switch {
	case resp.Request.Method == http.MethodHead:
		return noBody, nil
	case resp.StatusCode < 200 || resp.StatusCode == 204 || resp.StatusCode == 304:
		resp.ContentLength = 0
		return noBody, nil
	case chunked:
		return byChunks, nil
	case length == 0:
		return noBody, nil
	case length > 0:
		return byLength, nil
	}
	resp.Close = true
	return untilClose, nil
}

var chunkedEncoding = []string{"chunked"}

// wantsClose reports whether the server ends the connection after resp. As
// net/http does, it takes the header that said so out.
func wantsClose(resp *http.Response) bool {
	values, ok := resp.Header["Connection"]
	if !ok {
		return resp.ProtoMinor == 0
	}
	ends := httpguts.HeaderValuesContainsToken(values, "close")
	if resp.ProtoMinor == 0 {
		return ends || !httpguts.HeaderValuesContainsToken(values, "keep-alive")
	}
	if ends {
		delete(resp.Header, "Connection")
	}
	return ends
}

func isChunked(resp *http.Response) (bool, error) {
	values, ok := resp.Header["Transfer-Encoding"]
	if !ok {
		return false, nil
	}
	delete(resp.Header, "Transfer-Encoding")
	if resp.ProtoMinor == 0 { // it does not exist there
		return false, nil
	}
	if len(values) != 1 || !strings.EqualFold(values[0], "chunked") {
		return false, malformed("Transfer-Encoding", strings.Join(values, ", "))
	}
	return true, nil
}

// contentLength returns -1 when h says nothing.
func contentLength(h http.Header) (int64, error) {
	values, ok := h["Content-Length"]
	if !ok {
		return -1, nil
	}
	if len(values) > 1 {
		for _, v := range values[1:] {
			if v != values[0] {
				return 0, malformed("Content-Length", strings.Join(values, ", "))
			}
		}
		h["Content-Length"] = values[:1]
	}
	n, err := strconv.ParseUint(values[0], 10, 63)
	if err != nil {
		return 0, malformed("Content-Length", values[0])
	}
	return int64(n), nil
}

// announcedTrailer returns the keys that a Trailer header names, with nil values.
func announcedTrailer(h http.Header) (http.Header, error) {
	values, ok := h["Trailer"]
	if !ok {
		return nil, nil
	}
	delete(h, "Trailer")
	trailer := http.Header{}
	for key := range strings.SplitSeq(strings.Join(values, ","), ",") {
		key = textproto.CanonicalMIMEHeaderKey(textproto.TrimString(key))
		switch key {
		case "":
		case "Transfer-Encoding", "Trailer", "Content-Length":
			return nil, malformed("trailer field", key)
		default:
			trailer[key] = nil
		}
	}
	if len(trailer) == 0 {
		return nil, nil
	}
	return trailer, nil
}
