package crawl

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/temoto/robotstxt"
)

// robotsLimitBytes is how much of a robots.txt is read (RFC 9309, section 2.5,
// asks for 500 KiB at least).
const robotsLimitBytes = 512 << 10

// robots is what one origin's robots.txt says to us.
type robots struct {
	group *robotstxt.Group // nil: everything is allowed
	delay time.Duration    // between two requests; 0: none asked for
}

// mark stands in front of every path, in rules and in questions: the library
// does not anchor rules with a wildcard at the start of the path, and a
// character that occurs nowhere else does.
const mark = "/\x01"

// parseRobots reads a robots.txt for the crawler whose product token is agent.
// Lines that are wrong are left out, as RFC 9309 asks; the library would
// refuse the whole file.
func parseRobots(body []byte, agent string) robots {
	if len(body) > robotsLimitBytes {
		body = body[:robotsLimitBytes]
	}
	data, err := robotstxt.FromBytes(cleanRobots(body))
	if err != nil {
		return robots{}
	}
	group := data.FindGroup(agent)
	return robots{group: group, delay: group.CrawlDelay}
}

// allows reports whether the canonical address may be fetched.
func (r robots) allows(canonical string) bool {
	if r.group == nil {
		return true
	}
	path := canonical[len(origin(canonical)):]
	if path == "/robots.txt" {
		return true
	}
	return r.group.Test(mark + strings.TrimPrefix(path, "/"))
}

// cleanRobots keeps the lines that count for us, in a form that the library
// reads as the RFC means it. Within a group the rules that allow come first:
// of two equally long ones the library takes the first, the RFC the allowing.
func cleanRobots(body []byte) []byte {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	var out, denied []byte
	inGroup, inAgents := false, false
	for line := range strings.FieldsFuncSeq(string(body), func(r rune) bool { return r == '\n' || r == '\r' }) {
		key, value, ok := robotsLine(line)
		switch {
		case !ok:
		case key == "user-agent":
			if !inAgents {
				out, denied = append(out, denied...), nil
			}
			inGroup, inAgents = true, true
			out = append(out, "user-agent: "+productToken(value)+"\n"...)
		case !inGroup:
		case key == "allow":
			inAgents = false
			out = append(out, "allow: "+robotsPath(value)+"\n"...)
		case key == "disallow":
			inAgents = false
			denied = append(denied, "disallow: "+robotsPath(value)+"\n"...)
		case key == "crawl-delay":
			inAgents = false
			out = append(out, "crawl-delay: "+value+"\n"...)
		}
	}
	return append(out, denied...)
}

// robotsLine splits a line into its lower-case key and its value; ok is false
// for what is not a rule, and for a rule that says nothing.
func robotsLine(line string) (key, value string, ok bool) {
	line, _, _ = strings.Cut(line, "#")
	key, value, ok = strings.Cut(line, ":")
	key, value = strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)
	switch key {
	case "useragent":
		key = "user-agent"
	case "crawldelay":
		key = "crawl-delay"
	}
	if key == "crawl-delay" {
		seconds, err := strconv.ParseFloat(value, 64)
		ok = ok && err == nil && seconds >= 0 && seconds < math.MaxInt32
	}
	return key, value, ok && value != ""
}

// robotsPath marks a rule's path and brings its escapes into the form that
// canonical addresses have.
func robotsPath(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if c <= ' ' || c >= 0x7F {
			b.WriteString("%" + strings.ToUpper(string([]byte{hexDigit(c >> 4), hexDigit(c & 0xF)})))
		} else {
			b.WriteByte(c)
		}
	}
	path = normalEscapes(b.String())
	if strings.HasPrefix(path, "*") {
		return mark + path
	}
	return mark + strings.TrimPrefix(path, "/")
}

func hexDigit(c byte) byte { return "0123456789abcdef"[c] }

// productToken is the part of a User-Agent header that robots.txt files and
// robots meta tags name: "asyncio-crawl" of "asyncio-crawl/1.0 (+https://…)".
func productToken(userAgent string) string {
	if userAgent == "*" {
		return userAgent
	}
	i := slices.IndexFunc([]byte(userAgent), func(c byte) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-' || c == '_')
	})
	if i >= 0 {
		userAgent = userAgent[:i]
	}
	return strings.ToLower(userAgent)
}
