package main

import (
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// demoSite is a book shop that does not exist: shelves of books in alphabetical
// pages, books that recommend others, and the faults that real sites have. The
// same address always gets the same answer after the same time.
type demoSite struct {
	books int

	mu    sync.Mutex
	tried map[string]bool // addresses that fail the first time
}

const (
	demoShelves   = 24
	booksOnAPage  = 25
	demoRobots    = "User-agent: *\nDisallow: /basket\n"
	hopelessBook  = 3 // of 97 books one has a link to a page that is not there
	demoFillWords = "the a tale of story night sea house road letter winter garden stone river hour"
)

func newDemoSite(pages int) *demoSite {
	// A book has its own page, and a part of a shelf's.
	return &demoSite{books: max(1, pages*booksOnAPage/(booksOnAPage+1)-demoShelves), tried: map[string]bool{}}
}

func (d *demoSite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	dice := diceFor(r.URL.RequestURI())
	select {
	case <-time.After(latency(dice)):
	case <-r.Context().Done():
		return
	}
	head, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch n, err := strconv.Atoi(rest); {
	case r.URL.Path == "/robots.txt":
		io.WriteString(w, demoRobots)
	case r.URL.Path == "/":
		d.front(w)
	case head == "shelf" && err == nil && n < demoShelves:
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		d.shelf(w, n, page)
	case head == "book" && err == nil && n < d.books && dice%1000 == 7 && d.firstTry(r.URL.Path):
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too busy", http.StatusServiceUnavailable)
	case head == "book" && err == nil && n < d.books:
		d.book(w, n)
	case head == "isbn" && err == nil:
		http.Redirect(w, r, fmt.Sprintf("/book/%d", n%d.books), http.StatusMovedPermanently)
	case head == "cover" && err == nil:
		w.Header().Set("Content-Type", "image/svg+xml")
		fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg"><text>%s</text></svg>`, bookTitle(n))
	default:
		http.NotFound(w, r)
	}
}

func (d *demoSite) firstTry(path string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	first := !d.tried[path]
	d.tried[path] = true
	return first
}

func (d *demoSite) front(w io.Writer) {
	begin(w, "The Shop of Unwritten Books")
	for n := range demoShelves {
		fmt.Fprintf(w, "<p><a href=\"/shelf/%d\">Shelf %d</a>\n", n, n)
	}
}

// shelf lists the books whose number leaves the shelf's when divided.
func (d *demoSite) shelf(w io.Writer, shelf, page int) {
	begin(w, fmt.Sprintf("Shelf %d, page %d", shelf, page))
	first := shelf + page*booksOnAPage*demoShelves
	for i := range booksOnAPage {
		if n := first + i*demoShelves; n < d.books {
			fmt.Fprintf(w, "<p><a href=\"/book/%d\">%s</a>\n", n, bookTitle(n))
		}
	}
	if first+booksOnAPage*demoShelves < d.books {
		fmt.Fprintf(w, "<a rel=next href=\"?page=%d\">more</a>\n", page+1)
	}
}

func (d *demoSite) book(w io.Writer, n int) {
	dice := int(diceFor("book " + strconv.Itoa(n)))
	begin(w, bookTitle(n))
	fmt.Fprintf(w, "<p>Price: <b class=price>%d.%02d</b> EUR\n", 3+dice%60, dice/60%100)
	fmt.Fprintf(w, "<p><a href=\"/shelf/%d\">its shelf</a>, and who bought it bought\n", n%demoShelves)
	for i := range 5 {
		fmt.Fprintf(w, "<a href=\"/book/%d#reviews\">this</a>\n", (dice+i*i*7919)%d.books)
	}
	switch n % 97 {
	case hopelessBook:
		fmt.Fprintf(w, "<a href=\"/reviews/%d\">reviews</a>\n", n)
	case hopelessBook + 1:
		fmt.Fprintf(w, "<a href=\"/isbn/%d\">another edition</a>\n", n+1)
	case hopelessBook + 2:
		fmt.Fprintf(w, "<a href=\"/cover/%d\">cover</a>\n", n)
	}
	words := strings.Fields(demoFillWords)
	for i := range 100 + dice%900 {
		fmt.Fprint(w, words[(dice+i*i+n)%len(words)], " ")
	}
}

func begin(w io.Writer, title string) {
	fmt.Fprintf(w, "<!doctype html><html><head><meta charset=utf-8><title>%s</title></head><body>"+
		"<nav><a href=\"/\">Home</a> <a href=\"/basket\">Basket</a></nav><h1>%s</h1>\n", title, title)
}

func bookTitle(n int) string {
	words := strings.Fields(demoFillWords)
	word := func(i int) string {
		w := words[3+i%(len(words)-3)]
		return strings.ToUpper(w[:1]) + w[1:]
	}
	return fmt.Sprintf("The %s and the %s, volume %d", word(n), word(n/13+5), n/156+1)
}

// latency is that of a site far away: mostly 30 to 110 ms, and now and then
// much more.
func latency(dice uint32) time.Duration {
	ms := 30 + dice%80
	if dice%40 == 0 {
		ms *= 8
	}
	return time.Duration(ms) * time.Millisecond
}

// diceFor are numbers that look like chance and are the same every time.
func diceFor(s string) uint32 {
	h := fnv.New32a()
	io.WriteString(h, s)
	return h.Sum32() >> 3
}
