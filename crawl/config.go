package crawl

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"time"

	whatwg "github.com/nlnwa/whatwg-url/url"

	"github.com/go-asyncio/asyncio"
)

// Config says what to crawl and how. Only Start (or Resume) and Out are needed:
// a field that is left zero takes the default named beside it.
//
// The fields that say what belongs to the crawl are kept in the database, and
// a resumed crawl takes those that are zero from there.
type Config struct {
	Start []string // addresses to begin with; without a scheme they are http
	Out   string   `json:"-"` // the SQLite file

	// Resume goes on with the crawl that Out holds. Without it Out must not
	// hold one.
	Resume bool `json:"-"`

	Depth    *int     // links away from a start page; nil: no limit
	MaxPages int      // pages fetched in all, over every resumption; 0: no limit
	Allow    []string // regular expressions: only addresses that match one are followed
	Deny     []string // regular expressions: addresses that match one are not followed
	Select   []string // fields to take from each page: "name=css" or "name=css@attribute"

	UserAgent string // DefaultUserAgent

	// LimitBytes is how much of one page is read; a longer one is recorded as
	// an error. Default: 10 MiB.
	LimitBytes int64

	Concurrency int           `json:"-"` // requests in flight in all; default 64
	PerHost     int           `json:"-"` // requests in flight at one host; default 8
	Rate        float64       `json:"-"` // requests a second at one host; 0: no limit
	Timeout     time.Duration `json:"-"` // for one request, body included; default 30 s
	Retries     *int          `json:"-"` // after a first failure; default 3

	// Stop, when set, ends the crawl once what is in flight is finished.
	// Cancelling the context ends it at once. Both leave a database that can
	// be resumed.
	Stop *asyncio.Event `json:"-"`

	// OnPage, where given, gets every page once it is in the database, and
	// OnProgress the state of the crawl every ProgressInterval. They are
	// called on the loop and must not wait.
	OnPage           func(Page)     `json:"-"`
	OnProgress       func(Progress) `json:"-"`
	ProgressInterval time.Duration  `json:"-"` // default 200 ms

	Log *slog.Logger `json:"-"` // what a person should know; default slog.Default()
}

// DefaultUserAgent is how the crawler names itself.
const DefaultUserAgent = "asyncio-crawl/1.0 (+https://github.com/go-asyncio/asyncio)"

const (
	defaultConcurrency      = 64
	defaultPerHost          = 8
	defaultTimeout          = 30 * time.Second
	defaultRetries          = 3
	defaultLimitBytes       = 10 << 20
	defaultProgressInterval = 200 * time.Millisecond
)

// settle fills in what is zero: from the crawl that is resumed, whose kept
// fields are stored, then from the defaults.
func (c *Config) settle(stored []byte) error {
	if stored != nil {
		var old Config
		if err := json.Unmarshal(stored, &old); err != nil {
			return fmt.Errorf("crawl: %s: its settings cannot be read: %w", c.Out, err)
		}
		fillZeroFields(c, &old)
	}
	fillZeroFields(c, &Config{
		UserAgent:        DefaultUserAgent,
		LimitBytes:       defaultLimitBytes,
		Concurrency:      defaultConcurrency,
		PerHost:          defaultPerHost,
		Timeout:          defaultTimeout,
		Retries:          new(defaultRetries),
		ProgressInterval: defaultProgressInterval,
		Stop:             new(asyncio.Event),
		Log:              slog.Default(),
	})
	return nil
}

func fillZeroFields(to, from *Config) {
	dst, src := reflect.ValueOf(to).Elem(), reflect.ValueOf(from).Elem()
	for i := range dst.NumField() {
		if dst.Field(i).IsZero() {
			dst.Field(i).Set(src.Field(i))
		}
	}
}

// ErrConfig is in every error that says that a Config is wrong, before
// anything was opened or fetched.
var ErrConfig = errors.New("crawl: wrong configuration")

// Check reports what is wrong with c: an error that wraps ErrConfig.
func (c Config) Check() error {
	_, err := c.rules()
	if err == nil {
		err = c.checkNumbers()
	}
	if err != nil {
		return &configError{err}
	}
	return nil
}

func (c Config) checkNumbers() error {
	switch {
	case c.Out == "":
		return errors.New("crawl: no database file is named")
	case len(c.Start) == 0 && !c.Resume:
		return errors.New("crawl: no address to start with")
	case c.Depth != nil && *c.Depth < 0:
		return fmt.Errorf("crawl: depth %d: it must not be negative", *c.Depth)
	case c.Retries != nil && *c.Retries < 0:
		return fmt.Errorf("crawl: %d retries: the number must not be negative", *c.Retries)
	case c.MaxPages < 0 || c.Concurrency < 0 || c.PerHost < 0 || c.Rate < 0 || c.Timeout < 0 || c.LimitBytes < 0:
		return errors.New("crawl: a limit must not be negative")
	}
	return nil
}

type configError struct{ err error }

func (e *configError) Error() string        { return e.err.Error() }
func (e *configError) Unwrap() error        { return e.err }
func (e *configError) Is(target error) bool { return target == ErrConfig }

// rules are the parts of a Config that have to be parsed.
type rules struct {
	start     []*whatwg.Url
	allow     []*regexp.Regexp
	deny      []*regexp.Regexp
	selectors []selector
}

func (c Config) rules() (r rules, err error) {
	for _, s := range c.Start {
		u, err := parseStart(s)
		if err != nil {
			return r, err
		}
		r.start = append(r.start, u)
	}
	if r.allow, err = compile("allow", c.Allow); err != nil {
		return r, err
	}
	if r.deny, err = compile("deny", c.Deny); err != nil {
		return r, err
	}
	for _, s := range c.Select {
		sel, err := parseSelector(s)
		if err != nil {
			return r, err
		}
		r.selectors = append(r.selectors, sel)
	}
	return r, nil
}

func compile(what string, patterns []string) (list []*regexp.Regexp, err error) {
	for _, p := range patterns {
		re, err := regexp.Compile(p)
		if err != nil {
			return nil, fmt.Errorf("crawl: %s %q: %w", what, p, err)
		}
		list = append(list, re)
	}
	return list, nil
}
