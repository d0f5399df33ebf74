package crawl

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	whatwg "github.com/nlnwa/whatwg-url/url"
)

// urls reads addresses as browsers do (the WHATWG URL standard), so that what
// a visitor can click the crawler can fetch. Two more characters are escaped,
// since net/url does so when the request is sent.
var urls = whatwg.NewParser(
	whatwg.WithPathPercentEncodeSet(whatwg.PathPercentEncodeSet.Set('^', '|')),
)

// parseStart reads an address that a person typed: without a scheme it is http.
func parseStart(raw string) (*whatwg.Url, error) {
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := urls.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("crawl: %q is not a URL: %w", raw, err)
	}
	if !isWeb(u) {
		return nil, fmt.Errorf("crawl: %q: only http and https are crawled", raw)
	}
	return u, nil
}

// A page may hold any address, as long as it likes. refLimitBytes is that of one
// that may be fetched, with each byte written as an escape. Longer credentials
// than credentialsLimitBytes are left out before an address is read, since the
// parser takes time for them that grows with their square: 20,000 times @ took a
// second.
const (
	refLimitBytes         = 3 * urlLimitBytes
	credentialsLimitBytes = 256
)

var errTooLong = errors.New("the address is too long")

// resolve reads an address in a page or an answer, which may be relative to base.
func resolve(base *whatwg.Url, ref string) (*whatwg.Url, error) {
	if len(ref) > refLimitBytes {
		return nil, errTooLong
	}
	if len(ref) > credentialsLimitBytes && strings.Contains(ref, "@") {
		ref = withoutCredentials(base, ref)
	}
	return base.Parse(ref)
}

var (
	credentials = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*:)?([/\\]*)[^/\\?#]*@`)
	notRead     = strings.NewReplacer("\t", "", "\n", "", "\r", "")
)

// withoutCredentials leaves an empty name in the place of user name and password,
// so that where there is no host none is found.
func withoutCredentials(base *whatwg.Url, ref string) string {
	ref = strings.TrimLeftFunc(notRead.Replace(ref), func(r rune) bool { return r <= ' ' })
	m := credentials.FindStringSubmatch(ref)
	if m == nil {
		return ref
	}
	scheme, slashes := m[1], m[2]
	if (scheme == "" || strings.EqualFold(scheme, base.Protocol())) && len(slashes) < 2 {
		return ref // a path
	}
	return scheme + slashes + "@" + ref[len(m[0]):]
}

// isWeb reports whether an address can be fetched at all. Longer names do not
// exist in the DNS.
func isWeb(u *whatwg.Url) bool {
	p, name := u.Protocol(), u.Hostname()
	return (p == "http:" || p == "https:") && name != "" && len(name) <= 253
}

// canonical is the one spelling under which an address is stored and fetched:
// the WHATWG serialisation without fragment and password, with RFC 3986's
// normal form of percent escapes (section 6.2.2).
func canonical(u *whatwg.Url) string {
	u.SetUsername("")
	u.SetPassword("")
	return normalEscapes(u.Href(true))
}

// origin is scheme and authority ("https://example.com:8443"), host the
// authority alone. They take what canonical returned.
func origin(canonical string) string {
	scheme := strings.Index(canonical, "://") + len("://")
	if end := strings.IndexAny(canonical[scheme:], "/?#"); end >= 0 {
		return canonical[:scheme+end]
	}
	return canonical
}

func host(canonical string) string {
	o := origin(canonical)
	return o[strings.Index(o, "://")+len("://"):]
}

// normalEscapes writes escapes of unreserved characters as the characters, the
// digits of the others in upper case, and a percent sign that escapes nothing
// as %25.
func normalEscapes(s string) string {
	i := strings.IndexByte(s, '%')
	if i < 0 {
		return s
	}
	b := make([]byte, i, len(s))
	copy(b, s)
	for ; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
			b = append(b, "%25"...)
			continue
		}
		if c := unhex(s[i+1])<<4 | unhex(s[i+2]); isUnreserved(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', upper(s[i+1]), upper(s[i+2]))
		}
		i += 2
	}
	return string(b)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&0xF + 9
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'f' {
		return c - 'a' + 'A'
	}
	return c
}

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}
