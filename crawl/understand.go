package crawl

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"

	"github.com/go-asyncio/asyncio"
)

const (
	// redirectLimit is how many redirects in a row are followed.
	redirectLimit = 10

	// parseInThreadBytes is the size from which a page is parsed in a thread.
	// A smaller one takes less time than the way there and back.
	parseInThreadBytes = 4 << 10
)

// understand takes links and fields from a good answer.
func (c *crawler) understand(ctx context.Context, r *result, a answer) error {
	if a.status/100 == 3 {
		target, ok := a.redirect(r.item.url)
		switch {
		case !ok:
		case r.item.hops >= redirectLimit:
			r.page.Error = fmt.Sprintf("redirects: more than %d in a row", redirectLimit)
		default:
			r.page.Location = target
			r.links = []link{{target, redirect}}
		}
	}
	if a.body == nil {
		return nil
	}
	var err error
	if a.body.Len() < parseInThreadBytes {
		c.parse(r, a)
	} else {
		_, err = asyncio.ToThreadIn(ctx, c.parsers, func() (asyncio.None, error) {
			c.parse(r, a)
			return asyncio.None{}, nil
		})
	}
	if err == nil { // else the thread still has the buffer
		c.recycle(a.body)
	}
	return err
}

// parse fills in what a page says. It uses nothing that changes, so that it may
// run in a thread.
func (c *crawler) parse(r *result, a answer) {
	body := a.body.Bytes()
	sum := sha256.Sum256(body)
	r.page.Hash = hex.EncodeToString(sum[:])
	if a.contentType == "" {
		if r.page.ContentType = http.DetectContentType(body); !isHTML(r.page.ContentType) {
			return
		}
	}
	base, err := urls.Parse(r.item.url)
	if err != nil {
		return
	}
	text := toUTF8(body, r.page.ContentType)
	d := parseHTML(text, base, c.agent)
	r.page.Title, r.links = d.title, d.links
	if headerForbidsFollowing(a.header["X-Robots-Tag"], c.agent) {
		for i := range r.links {
			r.links[i].kind = nofollow
		}
	}
	if len(c.rules.selectors) > 0 {
		if r.fields, err = selectFields(text, base, c.rules.selectors); err != nil {
			r.page.Error = "select: " + err.Error()
		}
	}
}
