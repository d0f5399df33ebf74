package crawl

import "time"

// item is one address of the frontier.
type item struct {
	id       int64
	url      string
	depth    int
	hops     int
	referrer string

	// In this run:
	attempt   int           // tries so far
	started   time.Time     // of the first one
	spent     time.Duration // on all of them
	notBefore time.Duration // on the loop's clock: of the next one
	began     time.Duration // on the loop's clock: of the one under way
	denied    bool          // by robots.txt
}

// Page is a row of the table pages.
type Page struct {
	URL         string        `json:"url"`
	Status      int           `json:"status,omitempty"`       // of HTTP; 0: no answer
	Title       string        `json:"title,omitempty"`        // of HTML pages
	ContentType string        `json:"content_type,omitempty"` // as the server sent it
	Size        int64         `json:"size"`                   // bytes of the body, uncompressed
	Hash        string        `json:"hash,omitempty"`         // SHA-256 of the body, in hexadecimal
	Depth       int           `json:"depth"`                  // links away from a start page
	Referrer    string        `json:"referrer,omitempty"`     // the page that named it first
	Location    string        `json:"location,omitempty"`     // where it redirects to
	Time        time.Time     `json:"time"`                   // when it was asked for
	Duration    time.Duration `json:"-"`                      // from the request to the end of the body, of all tries
	Error       string        `json:"error,omitempty"`        // "kind: what happened"
	Links       int           `json:"links"`                  // how many addresses it names
}

// result is what became of an item.
type result struct {
	site   *site
	item   item
	page   Page
	links  []link
	fields []field
}

// wanted asks for the next items of an origin after the one with id after.
type wanted struct {
	origin, after int64
	limit         int
}

// stored is what a write tells the frontier, by the ids of origins.
type stored struct {
	loaded  map[int64]loaded // what was wanted
	grown   map[int64]string // the names of those that got new items
	rewound map[int64]int64  // the lowest id that was queued late
	queued  int64            // items in the frontier, in all
}

// loaded answers a wanted. Fewer items than its limit are all there are.
type loaded struct {
	items []item
	limit int
}
