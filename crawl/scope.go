package crawl

import "regexp"

// scope decides which addresses belong to a crawl.
type scope struct {
	hosts map[string]bool // host[:port] of the start pages, and where those redirect to
	allow []*regexp.Regexp
	deny  []*regexp.Regexp
}

func (s *scope) contains(url string) bool {
	return s.hosts[host(url)] &&
		(len(s.allow) == 0 || matchesAny(s.allow, url)) &&
		!matchesAny(s.deny, url)
}

func matchesAny(patterns []*regexp.Regexp, url string) bool {
	for _, p := range patterns {
		if p.MatchString(url) {
			return true
		}
	}
	return false
}
