// Command colly follows the links of one host with colly. With a third argument
// it also stores pages and links in that SQLite file, as asyncio crawl does.
// Usage: colly URL CONCURRENCY [FILE]
package main

import (
	"fmt"
	"log"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gocolly/colly/v2"
)

func main() {
	start, err := url.Parse(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	concurrency, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	var store *store
	if len(os.Args) > 3 {
		store = openStore(os.Args[3])
	}
	c := colly.NewCollector(colly.Async(true), colly.AllowedDomains(start.Hostname()), colly.AllowURLRevisit())
	c.MaxBodySize = 0
	c.WithTransport(&http.Transport{MaxIdleConnsPerHost: concurrency})
	if err := c.Limit(&colly.LimitRule{DomainGlob: "*", Parallelism: concurrency}); err != nil {
		log.Fatal(err)
	}
	var pages, urls atomic.Int64
	// colly's own check looks first and marks later, so that concurrent pages fetch
	// the same link again, thousands of times on a site like this one.
	var seen sync.Map
	seen.Store(start.String(), true)
	c.OnHTML("a[href]", func(e *colly.HTMLElement) {
		link, _, _ := strings.Cut(e.Request.AbsoluteURL(e.Attr("href")), "#") // to colly each fragment is another page
		if store != nil {
			store.link(e.Request.URL.String(), link)
		}
		if link == "" { // only a fragment
			return
		}
		if _, known := seen.LoadOrStore(link, true); !known {
			e.Request.Visit(link) // an error says that it is another host's
		}
	})
	c.OnResponse(func(r *colly.Response) {
		urls.Add(1)
		if kind, _, _ := mime.ParseMediaType(r.Headers.Get("Content-Type")); kind == "text/html" {
			pages.Add(1)
		}
		if store != nil {
			store.page(r)
		}
	})
	if err := c.Visit(start.String()); err != nil {
		log.Fatal(err)
	}
	c.Wait()
	if store != nil {
		store.close()
	}
	fmt.Printf("pages %d\nurls %d\n", pages.Load(), urls.Load())
}
