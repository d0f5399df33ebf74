package crawl

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Summary is what a crawl has done, counted from the beginning of this run.
type Summary struct {
	Pages    int            // pages that were asked for and are in the database
	Status   map[int]int    // of those, by HTTP status; 0: no answer
	Errors   map[string]int // pages with an error, by kind; "robots" are those that robots.txt forbids
	Retries  int            // requests that were made again
	Links    int            // addresses named by the pages
	Bytes    int64          // of bodies, uncompressed
	Wall     time.Duration
	Requests time.Duration // the sum of all requests' times: what one by one would have taken
	First    string        // the first page that could not be had, and why

	Fetched int   // pages in the database over all runs, without those that robots.txt forbids
	Found   int   // those of them with a status below 400
	Queued  int64 // what is left to be done

	Stopped bool              // by Config.Stop, before it was done
	Limited bool              // by Config.MaxPages, before it was done
	Parked  map[string]string // origins left alone, and why
}

// Progress is the state of a crawl under way.
type Progress struct {
	Done      int   // pages in the database, of this run
	Queued    int64 // pages to be fetched that are known so far
	InFlight  int
	Errors    int     // pages without an answer
	PagesRate float64 // a second, over the last interval
	BytesRate float64
	Lag       time.Duration // how late the loop was at worst in the interval
	Wall      time.Duration
}

func (s *Summary) count(p *Page) {
	why := p.Error
	kind, _, _ := strings.Cut(why, ":")
	if kind != kindRobots {
		s.Pages++
		s.Status[p.Status]++
	}
	s.Links += p.Links
	if why != "" {
		s.Errors[kind]++
	} else if p.Status >= 400 {
		why = fmt.Sprintf("%d %s", p.Status, http.StatusText(p.Status))
	}
	if why != "" && s.First == "" {
		s.First = p.URL + ": " + why
	}
}

// failures is the number of pages with an error of their own.
func (s *Summary) failures() (n int) {
	for kind, count := range s.Errors {
		if kind != kindRobots {
			n += count
		}
	}
	return n
}
