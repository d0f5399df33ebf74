package crawl

import (
	"bytes"
	"strings"
	"unicode/utf8"

	whatwg "github.com/nlnwa/whatwg-url/url"
	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"
)

// document is what one HTML page says.
type document struct {
	title string
	links []link // each target once, in the order of the page
}

// link is an address that a page names, in its canonical form.
type link struct {
	url  string
	kind linkKind
}

type linkKind int

// How a page names another one. The database stores these numbers.
const (
	followed linkKind = iota // a plain link
	nofollow                 // a link that the page asks robots not to follow
	redirect                 // the target of a redirect
)

// urlLimitBytes is what servers take (nginx 8 KiB, Apache 8,190 bytes). A
// longer link is a trap that grows with every page, and is not followed.
const urlLimitBytes = 8000

// parseHTML reads a page, in UTF-8, fetched from the address base. agent is our
// product token, for meta elements that name it. It takes about a millisecond
// per 100 kB, so big pages are parsed in threads.
func parseHTML(body []byte, base *whatwg.Url, agent string) document {
	s := scanner{
		tokens: html.NewTokenizer(bytes.NewReader(body)),
		agent:  agent,
		refs:   map[string]int{},
	}
	s.run()
	if s.base != "" {
		if u, err := resolve(base, s.base); err == nil {
			base = u
		}
	}
	return document{title: s.title, links: s.resolve(base)}
}

// scanner walks over a page's tokens; building the tree would cost five times
// as much, and links need none.
type scanner struct {
	tokens   *html.Tokenizer
	agent    string
	title    string
	base     string
	nofollow bool           // a robots meta element says so for the whole page
	refs     map[string]int // index into found
	found    []link         // not yet resolved
}

func (s *scanner) run() {
	inTitle, titled := false, false
	for {
		switch s.tokens.Next() {
		case html.ErrorToken:
			return
		case html.TextToken:
			if inTitle {
				s.title = plainText(string(s.tokens.Text()))
				inTitle, titled = false, true
			}
		case html.EndTagToken:
			inTitle = false
		case html.StartTagToken, html.SelfClosingTagToken:
			name, hasAttributes := s.tokens.TagName()
			if string(name) == "title" {
				inTitle = !titled
			} else if hasAttributes {
				s.element(name)
			}
		}
	}
}

// element looks at one start tag that has attributes.
func (s *scanner) element(name []byte) {
	switch string(name) {
	case "a", "area":
		a := s.attributes()
		s.add(a.href, !hasToken(a.rel, "nofollow"))
	case "iframe", "frame":
		s.add(s.attributes().src, true)
	case "base":
		if a := s.attributes(); s.base == "" {
			s.base = strings.TrimSpace(a.href)
		}
	case "link":
		a := s.attributes()
		if hasToken(a.rel, "next") || hasToken(a.rel, "prev") || hasToken(a.rel, "canonical") {
			s.add(a.href, !hasToken(a.rel, "nofollow"))
		}
	case "meta":
		s.meta(s.attributes())
	}
}

func (s *scanner) meta(a attributes) {
	if strings.EqualFold(a.equiv, "refresh") {
		if _, target, ok := strings.Cut(a.content, ";"); ok {
			target = strings.TrimSpace(target)
			if len(target) > 4 && strings.EqualFold(target[:4], "url=") {
				s.add(strings.Trim(target[4:], ` '"`), true)
			}
		}
	}
	if strings.EqualFold(a.name, "robots") || strings.EqualFold(a.name, s.agent) {
		s.nofollow = s.nofollow || forbidsFollowing(a.content)
	}
}

// add notes a reference without its fragment. A target that is linked twice is
// followed if one of the links may be.
func (s *scanner) add(ref string, follow bool) {
	ref = strings.TrimSpace(ref)
	ref, _, hasFragment := strings.Cut(ref, "#")
	if ref == "" && hasFragment {
		return
	}
	kind := nofollow
	if follow {
		kind = followed
	}
	i, seen := s.refs[ref]
	if !seen {
		s.refs[ref] = len(s.found)
		s.found = append(s.found, link{ref, kind})
	} else if follow {
		s.found[i].kind = kind
	}
}

// resolve turns what was found into canonical addresses of web pages.
func (s *scanner) resolve(base *whatwg.Url) []link {
	links := s.found[:0]
	index := make(map[string]int, len(s.found))
	for _, l := range s.found {
		u, err := resolve(base, l.url)
		if err != nil || !isWeb(u) {
			continue
		}
		if l.url = canonical(u); len(l.url) > urlLimitBytes {
			continue
		}
		if s.nofollow {
			l.kind = nofollow
		}
		if i, seen := index[l.url]; seen {
			links[i].kind = min(links[i].kind, l.kind)
			continue
		}
		index[l.url] = len(links)
		links = append(links, l)
	}
	return links
}

// attributes are those of one element that matter to a crawler.
type attributes struct {
	href, src, rel, name, content, equiv string
}

func (s *scanner) attributes() (a attributes) {
	for more := true; more; {
		var key, value []byte
		key, value, more = s.tokens.TagAttr()
		var to *string
		switch string(key) {
		case "href":
			to = &a.href
		case "src":
			to = &a.src
		case "rel":
			to = &a.rel
		case "name":
			to = &a.name
		case "content":
			to = &a.content
		case "http-equiv":
			to = &a.equiv
		default:
			continue
		}
		if *to == "" { // of a repeated attribute the first one counts
			*to = string(value)
		}
	}
	return a
}

// hasToken reports whether a space-separated list names token.
func hasToken(list, token string) bool {
	if len(list) < len(token) {
		return false
	}
	for t := range strings.FieldsSeq(list) {
		if strings.EqualFold(t, token) {
			return true
		}
	}
	return false
}

// forbidsFollowing reads the directives of a robots meta element.
func forbidsFollowing(directives string) bool {
	for d := range strings.SplitSeq(directives, ",") {
		d = strings.TrimSpace(d)
		if strings.EqualFold(d, "nofollow") || strings.EqualFold(d, "none") {
			return true
		}
	}
	return false
}

// headerForbidsFollowing reads X-Robots-Tag headers, whose directives may
// stand behind the name of the robot they are for ("otherbot: nofollow").
func headerForbidsFollowing(headers []string, agent string) bool {
	for _, h := range headers {
		name, directives, named := strings.Cut(h, ":")
		if !named {
			directives = h
		} else if !strings.EqualFold(strings.TrimSpace(name), agent) {
			continue
		}
		if forbidsFollowing(directives) {
			return true
		}
	}
	return false
}

// plainText is text as a reader sees it: valid, with single spaces.
func plainText(s string) string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
}

// toUTF8 decodes a page by its byte order mark, its Content-Type or its meta
// element. What declares nothing is UTF-8 if it is valid as such, else
// windows-1252, as in browsers. The body itself is returned where it is UTF-8.
func toUTF8(body []byte, contentType string) []byte {
	encoding, name, certain := charset.DetermineEncoding(body, contentType)
	if name == "utf-8" || name == "windows-1252" && !certain && utf8.Valid(body) {
		return bytes.TrimPrefix(body, []byte("\ufeff"))
	}
	decoded, err := encoding.NewDecoder().Bytes(body)
	if err != nil {
		return body
	}
	return decoded
}

// isHTML reports whether a Content-Type is one that is parsed.
func isHTML(contentType string) bool {
	mediaType, _, _ := strings.Cut(contentType, ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	return mediaType == "text/html" || mediaType == "application/xhtml+xml"
}
