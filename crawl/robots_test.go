package crawl

import (
	"strings"
	"testing"
	"time"
)

func TestRobots_rules(t *testing.T) {
	for name, c := range map[string]struct {
		file            string
		allowed, denied []string
	}{
		"an empty file allows everything":  {"", []string{"/", "/a"}, nil},
		"an empty Disallow denies nothing": {"User-agent: *\nDisallow:\n", []string{"/a"}, nil},
		"everything denied": {"User-agent: *\nDisallow: /",
			[]string{"/robots.txt"}, []string{"/", "/a?b"}},
		"the longest rule wins": {"User-agent: *\nDisallow: /a\nAllow: /a/b\nDisallow: /a/b/c",
			[]string{"/", "/a/b", "/a/bx"}, []string{"/a", "/ax", "/a/b/c/d"}},
		"of two equally long rules the allowing one wins": {"User-agent: *\nDisallow: /page\nAllow: /page",
			[]string{"/page"}, nil},
		"wildcards are anchored at the start of the path": {"User-agent: *\nDisallow: /a*z",
			[]string{"/b/a/z", "/"}, []string{"/a/z", "/az", "/abcz/more"}},
		"a leading wildcard and an end": {"User-agent: *\nDisallow: *.pdf$",
			[]string{"/a.pdf?x", "/pdf"}, []string{"/a.pdf", "/b/c.pdf"}},
		"our own group takes the place of the general one": {
			"User-agent: *\nDisallow: /\n\nUser-agent: AsyncIO-Crawl/2.0\nDisallow: /private",
			[]string{"/", "/a"}, []string{"/private/x"}},
		"several agents share a group, groups of one agent add up": {
			"User-agent: other\nUser-agent: asyncio-crawl\nDisallow: /a\nUser-agent: asyncio-crawl\nDisallow: /b",
			[]string{"/c"}, []string{"/a", "/b"}},
		"rules before any group are left out": {"Disallow: /\nUser-agent: *\nDisallow: /b",
			[]string{"/a"}, []string{"/b"}},
		"wrong lines are left out, the others hold": {
			"<html>\nUser-agent: *\nCrawl-delay: soon\nnonsense\nDisallow: /b # why\nNoindex: /a",
			[]string{"/a"}, []string{"/b"}},
		"carriage returns and a byte order mark": {"\ufeffUser-agent: *\r\nDisallow: /b\r\n",
			[]string{"/a"}, []string{"/b"}},
		"escapes are compared in normal form": {"User-agent: *\nDisallow: /%7euser\nDisallow: /caf\u00e9\nDisallow: /a%2fb",
			[]string{"/a/b"}, []string{"/~user/x", "/caf%C3%A9", "/a%2Fb"}},
		"the query belongs to the path": {"User-agent: *\nDisallow: /*?session=",
			[]string{"/a?x=1"}, []string{"/a?session=1"}},
		"a sitemap between the rules ends no group": {"User-agent: *\nDisallow: /a\nSitemap: http://h/s.xml\nDisallow: /b",
			[]string{"/c"}, []string{"/a", "/b"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := parseRobots([]byte(c.file), "asyncio-crawl")
			for _, path := range c.allowed {
				if !r.allows("http://example.com" + path) {
					t.Errorf("%s is denied", path)
				}
			}
			for _, path := range c.denied {
				if r.allows("http://example.com" + path) {
					t.Errorf("%s is allowed", path)
				}
			}
		})
	}
}

func TestRobots_crawlDelay_isOfTheGroupThatCounts(t *testing.T) {
	file := "User-agent: *\nCrawl-delay: 9\n\nUser-agent: asyncio-crawl\nCrawl-delay: 1.5\nDisallow: /x"
	if got := parseRobots([]byte(file), "asyncio-crawl").delay; got != 1500*time.Millisecond {
		t.Errorf("delay is %v, want 1.5s", got)
	}
	if got := parseRobots([]byte(file), "another").delay; got != 9*time.Second {
		t.Errorf("delay for others is %v, want 9s", got)
	}
}

func TestProductToken(t *testing.T) {
	for agent, want := range map[string]string{
		"asyncio-crawl/1.0 (+https://x)": "asyncio-crawl",
		"MyBot":                          "mybot",
		"*":                              "*",
		"":                               "",
	} {
		if got := productToken(agent); got != want {
			t.Errorf("%q: %q, want %q", agent, got, want)
		}
	}
}

func FuzzRobots(f *testing.F) {
	f.Add([]byte("User-agent: *\nDisallow: /a*b$\nAllow: /\nCrawl-delay: 1"), "/a?b")
	f.Add([]byte("\ufeffuser-agent:x\rdisallow:\x80\x00"), "/")
	f.Add([]byte(strings.Repeat("allow: *\n", 9)), "")
	f.Add([]byte("user-agent: *\ndisallow: %%%"), "/%25")
	f.Fuzz(func(t *testing.T, file []byte, path string) {
		r := parseRobots(file, "asyncio-crawl")
		r.allows("http://example.com/" + path)
		if r.delay < 0 {
			t.Fatalf("delay %v", r.delay)
		}
		if !r.allows("http://example.com/robots.txt") {
			t.Fatal("robots.txt itself is denied")
		}
	})
}
