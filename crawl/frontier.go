package crawl

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/lowlevel"
)

// windowItems is how many items of one origin are loaded at a time. What else
// is queued stays in the database, so memory does not grow with the site.
const windowItems = 256

// parkAfter is how many pages of an origin may fail in a row before it is taken
// to be down. What is queued for it then stays in the database.
const parkAfter = 10

// errNoMore is returned by next when nothing more is to be fetched.
var errNoMore = errors.New("crawl: nothing more to fetch")

// frontier hands out what is to be fetched next, as fast as each origin may be
// asked. Its origins take turns. It lives on the loop.
type frontier struct {
	loop     *asyncio.Loop
	sites    map[int64]*site
	order    []*site            // all of them, as they came
	ready    []*site            // may be asked now, in turn
	hungry   []*site            // wait for more items from the database
	fetchers lowlevel.WaitQueue // have nothing to do
	feed     func()             // tells the writer that somebody is hungry
	perHost  int
	interval time.Duration // between two requests to an origin
	budget   int           // pages that may still be begun; negative: no limit
	inFlight int
	unstored int // items handed out whose result is not in the database yet
	closed   bool
}

// WaitName says what fetchers wait for.
func (f *frontier) WaitName() string { return "a page to fetch" }

// site is one origin: its part of the frontier, and the manners it is owed.
type site struct {
	frontier *frontier
	id       int64
	origin   string

	window  []item         // next ones, in order
	retries []item         // to be tried again when their time has come
	held    map[int64]bool // ids from being loaded until their result is stored
	last    int64          // id of the last one loaded
	more    bool           // the database may have more of them
	loading bool

	throttle
	inReady bool
	opening bool          // its robots.txt is being fetched
	rules   *robots       // nil: not known yet
	next    time.Duration // on the loop's clock: no request before
	alarm   asyncio.Timer
	failed  int    // pages in a row without a useful answer
	parked  string // why it is left alone in this run
}

// nextItem waits for an item that may be fetched now. The caller ends with one
// of finished, retry and giveBack.
func (f *frontier) nextItem(ctx context.Context) (*site, item, error) {
	for {
		f.closeIfDone()
		if f.closed {
			return nil, item{}, errNoMore
		}
		for len(f.ready) > 0 {
			s := f.ready[0]
			f.ready = slices.Delete(f.ready, 0, 1)
			s.inReady = false
			if it, ok := s.take(); ok {
				return s, it, nil
			}
		}
		if err := f.fetchers.Wait(ctx, f); err != nil {
			return nil, item{}, err
		}
	}
}

// take takes the next item, if the site may still be asked.
func (s *site) take() (item, bool) {
	f := s.frontier
	now := f.loop.Time()
	if !s.mayAsk() || now < s.next {
		s.consider()
		return item{}, false
	}
	it, ok := s.pop(now)
	if !ok {
		s.consider()
		return item{}, false
	}
	if it.attempt == 0 && f.budget > 0 {
		f.budget--
	}
	f.inFlight++
	f.unstored++
	s.inFlight++
	if s.rules == nil {
		s.opening = true
	} else if it.denied = !s.rules.allows(it.url); !it.denied {
		s.next = now + max(f.interval, s.rules.delay)
	}
	s.consider()
	return it, true
}

// pop takes a retry that is due, or else what is next in the window.
func (s *site) pop(now time.Duration) (item, bool) {
	for i, it := range s.retries {
		if it.notBefore <= now {
			s.retries = slices.Delete(s.retries, i, i+1)
			return it, true
		}
	}
	if !s.hasFresh() {
		return item{}, false
	}
	it := s.window[0]
	s.window = s.window[1:]
	return it, true
}

// hasFresh reports whether something may be fetched for the first time. While
// too many wait for another try nothing is, so that they do not pile up.
func (s *site) hasFresh() bool {
	return len(s.window) > 0 && len(s.retries) < windowItems && s.frontier.budget != 0
}

func (s *site) mayAsk() bool {
	return s.parked == "" && !s.frontier.closed && !s.opening && s.free()
}

// consider finds out whether the site can be asked for something, now or
// later. It is called whenever that may have changed.
func (s *site) consider() {
	f := s.frontier
	if s.more && !s.loading && len(s.window) < windowItems/2 && s.parked == "" {
		s.loading = true
		f.hungry = append(f.hungry, s)
		f.feed()
	}
	if s.inReady || !s.mayAsk() {
		return
	}
	at := s.next
	if !s.hasFresh() {
		if len(s.retries) == 0 {
			return
		}
		first := slices.MinFunc(s.retries, func(a, b item) int { return int(a.notBefore - b.notBefore) })
		at = max(at, first.notBefore)
	}
	if at > f.loop.Time() {
		s.alarm.ResetAt(at)
		return
	}
	s.inReady = true
	f.ready = append(f.ready, s)
	f.fetchers.Wake(1)
}

// opened takes what the site's robots.txt says.
func (s *site) opened(rules robots) {
	s.rules, s.opening = &rules, false
	s.next = s.frontier.loop.Time() + max(s.frontier.interval, rules.delay)
	s.consider()
}

// release ends an item's time in flight.
func (s *site) release() {
	s.frontier.inFlight--
	s.inFlight--
	s.opening = false
}

// finished gives an item's place to the next one. Its result is on the way to
// the database.
func (s *site) finished() {
	s.release()
	s.consider()
}

// retry puts an item back for another try after wait.
func (s *site) retry(it item, wait time.Duration) {
	it.notBefore = s.frontier.loop.Time() + wait
	s.release()
	s.frontier.unstored--
	s.retries = append(s.retries, it)
	s.consider()
}

// giveBack leaves an item in the database, as if it had never been taken.
func (s *site) giveBack() {
	f := s.frontier
	s.release()
	f.unstored--
	f.refund()
	f.considerAll()
}

// pause asks for no request before wait is over.
func (s *site) pause(wait time.Duration) {
	s.next = max(s.next, s.frontier.loop.Time()+wait)
}

// refund gives the budget back that an item took which needs no request.
func (f *frontier) refund() {
	if f.budget >= 0 {
		f.budget++
	}
}

// park leaves the site alone for the rest of this run.
func (s *site) park(why string) {
	f := s.frontier
	s.parked = why
	if f.budget >= 0 {
		f.budget += len(s.retries)
	}
	s.window, s.retries = nil, nil
	f.considerAll()
}

// considerAll wakes the sites that waited for the budget.
func (f *frontier) considerAll() {
	for _, s := range f.order {
		s.consider()
	}
	f.closeIfDone()
}

// stored takes note of n results that are in the database now, and of what was
// found there.
func (f *frontier) stored(results []*result, out stored) {
	for _, r := range results {
		f.unstored--
		delete(r.site.held, r.item.id)
	}
	for _, id := range slices.Sorted(maps.Keys(out.grown)) {
		f.site(id, out.grown[id]).more = true
	}
	for id, l := range out.loaded {
		s := f.sites[id]
		s.loading = false
		s.more = len(l.items) == l.limit
		for _, it := range l.items {
			s.last = it.id
			if !s.held[it.id] && s.parked == "" {
				s.held[it.id] = true
				s.window = append(s.window, it)
			}
		}
	}
	for id, lowest := range out.rewound {
		if s := f.sites[id]; lowest <= s.last {
			s.last, s.more = lowest-1, true
		}
	}
	f.considerAll()
}

func (f *frontier) site(id int64, origin string) *site {
	s := f.sites[id]
	if s == nil {
		s = &site{frontier: f, id: id, origin: origin, held: map[int64]bool{}, throttle: newThrottle(f.perHost)}
		s.alarm.Init(f.loop, s.consider)
		f.sites[id] = s
		f.order = append(f.order, s)
	}
	return s
}

// wants takes what the hungry ask for.
func (f *frontier) wants() []wanted {
	var list []wanted
	for _, s := range f.hungry {
		list = append(list, wanted{s.id, s.last, windowItems})
	}
	f.hungry = nil
	return list
}

// closeIfDone closes the frontier when nothing can come any more.
func (f *frontier) closeIfDone() {
	if f.closed || f.unstored > 0 {
		return
	}
	for _, s := range f.order {
		if s.parked == "" && (len(s.retries) > 0 || f.budget != 0 && (s.loading || s.more || len(s.window) > 0)) {
			return
		}
	}
	f.close()
}

// close lets the fetchers finish what they have, and gives them nothing more.
func (f *frontier) close() {
	f.closed = true
	f.fetchers.WakeAll()
	for _, s := range f.order {
		s.alarm.Stop()
	}
}
