// Package crawl fetches web sites into a SQLite database. It is what the command
// "asyncio crawl" runs.
//
//	err := asyncio.Run(ctx, func(ctx context.Context) error {
//		summary, err := crawl.Run(ctx, crawl.Config{
//			Start: []string{"https://example.com"},
//			Out:   "site.db",
//		})
//		...
//	})
//
// # What is fetched
//
// The start pages, and what they and the pages found that way link to on the
// same hosts: by a, area, iframe and frame elements, link elements for the next,
// the previous and the canonical page, meta refreshes, and redirects. When a
// start page redirects to another host, that belongs to the crawl, too. Addresses
// are read as browsers read them (WHATWG URL standard), and brought into one
// spelling, without fragment, so that each is fetched once. Links marked
// nofollow (rel, meta robots, X-Robots-Tag) are recorded and not followed.
// HTML is parsed in whichever character set it is; of other content only size
// and hash are recorded.
//
// # Manners
//
// Each origin's robots.txt is fetched first and obeyed by RFC 9309, with its
// Crawl-delay; while it cannot be had, nothing else is fetched there. The number
// of requests in flight at an origin grows while it answers well and is halved
// when it does not, or becomes slow (as TCP does). 429, 5xx and broken
// connections are tried again, later each time; a Retry-After holds up the whole
// origin. One that asks for a rest of more than ten minutes, or has failed ten
// pages in a row, is left alone for the rest of the run, and what is queued for
// it stays queued.
//
// # The database
//
// It is the result and the frontier in one; schema.go says what is in it. Read the
// tables pages and fields and the view links; sqlite3 or package
// [github.com/go-asyncio/asyncio/aiosql] can do so while the crawl runs. A page's
// row, its links and fields, the addresses that it named first and its change
// from queued to done are one transaction. So a crawl that was killed, at any
// moment, goes on with Config.Resume: no page is lost, and no page that is in
// the database is fetched again. (What was in flight is.)
//
// # What it costs
//
// All state lives on the loop: fetchers, frontier and writer share it without a
// lock. Threads do what would hold the loop: parsing of pages from 4 kB on, and
// transactions, which batch what has come in since the last one. Memory holds a
// window of the frontier (256 addresses an origin), the pages in flight, results
// with some 10,000 links on their way to the database, and the 32,768 addresses
// used last; it does not grow with the site. See bench/RESULTS.md for pages a second beside
// other crawlers.
//
// A frontier in memory with a journal would be somewhat faster, and would have
// to be read back whole to resume; a queue of the fetched pages on disk would
// lose the unique index that makes each URL come once.
//
// # How it ends
//
// Run returns when the frontier is empty, when Config.MaxPages is reached, or,
// after Config.Stop was set, as soon as what is in flight is stored. Cancelling
// its context ends it at once. All of these leave a database that can be resumed.
package crawl
