package crawl

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/andybalholm/cascadia"
	whatwg "github.com/nlnwa/whatwg-url/url"
	"golang.org/x/net/html"
)

// selector takes a named field from a page.
type selector struct {
	name      string
	css       cascadia.SelectorGroup
	attribute string // "": the text
}

// field is one value that a selector found.
type field struct{ name, value string }

// parseSelector reads "name=css" or "name=css@attribute".
func parseSelector(s string) (selector, error) {
	name, css, ok := strings.Cut(s, "=")
	name, css = strings.TrimSpace(name), strings.TrimSpace(css)
	if !ok || name == "" || css == "" {
		return selector{}, fmt.Errorf(`crawl: select %q: want name=css or name=css@attribute, as in "price=.price" or "photo=img.main@src"`, s)
	}
	sel := selector{name: name}
	if at := strings.LastIndexByte(css, '@'); at >= 0 && !strings.ContainsAny(css[at:], `]"')`) {
		css, sel.attribute = strings.TrimSpace(css[:at]), strings.ToLower(strings.TrimSpace(css[at+1:]))
		if sel.attribute == "" {
			return selector{}, fmt.Errorf("crawl: select %q: no attribute after the @", s)
		}
	}
	var err error
	if sel.css, err = cascadia.ParseGroup(css); err != nil {
		return selector{}, fmt.Errorf("crawl: select %q: %w", s, err)
	}
	return sel, nil
}

// selectFields builds a page's tree and takes every match of every selector.
// Attributes that hold an address (href, src) become absolute.
func selectFields(body []byte, base *whatwg.Url, selectors []selector) ([]field, error) {
	root, err := html.Parse(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	base = documentBase(root, base)
	var fields []field
	for _, s := range selectors {
		for _, node := range cascadia.QueryAll(root, s.css) {
			if value, ok := s.value(node, base); ok {
				fields = append(fields, field{s.name, value})
			}
		}
	}
	return fields, nil
}

var baseSelector = cascadia.MustCompile("base[href]")

func documentBase(root *html.Node, base *whatwg.Url) *whatwg.Url {
	if node := cascadia.Query(root, baseSelector); node != nil {
		href, _ := attribute(node, "href")
		if u, err := resolve(base, strings.TrimSpace(href)); err == nil {
			return u
		}
	}
	return base
}

func (s selector) value(node *html.Node, base *whatwg.Url) (string, bool) {
	if s.attribute == "" {
		var text strings.Builder
		writeText(&text, node)
		return plainText(text.String()), true
	}
	value, ok := attribute(node, s.attribute)
	if ok && (s.attribute == "href" || s.attribute == "src") {
		if u, err := resolve(base, value); err == nil {
			value = u.Href(false)
		}
	}
	return strings.ToValidUTF8(value, "\uFFFD"), ok
}

func attribute(node *html.Node, name string) (string, bool) {
	for _, a := range node.Attr {
		if a.Namespace == "" && a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// writeText writes the text of a tree; elements are words of their own only
// where the page has space between them.
func writeText(b *strings.Builder, node *html.Node) {
	for n := range node.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "script" && n.Parent.Data != "style" {
			b.WriteString(n.Data)
		}
	}
}
