package crawl

import (
	"net/url"
	"testing"
)

func TestCanonical_differentSpellingsOfOnePage_areOneAddress(t *testing.T) {
	base, err := urls.Parse("http://example.com/doc/library/page.html?old=1")
	if err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{
		"other.html":                      "http://example.com/doc/library/other.html",
		"./other.html#part":               "http://example.com/doc/library/other.html",
		"../library/./other.html":         "http://example.com/doc/library/other.html",
		"HTTP://EXAMPLE.com:80/a/../b":    "http://example.com/b",
		"//example.com":                   "http://example.com/",
		"https://example.com:443":         "https://example.com/",
		"https://example.com:8443/":       "https://example.com:8443/",
		"?new=2":                          "http://example.com/doc/library/page.html?new=2",
		"%7euser/%c3%a9":                  "http://example.com/doc/library/~user/%C3%A9",
		"caf\u00e9":                       "http://example.com/doc/library/caf%C3%A9",
		"%41%2fb":                         "http://example.com/doc/library/A%2Fb",
		"a b":                             "http://example.com/doc/library/a%20b",
		" \n split\nup ":                  "http://example.com/doc/library/splitup",
		"100%":                            "http://example.com/doc/library/100%25",
		"%zz":                             "http://example.com/doc/library/%25zz",
		`\back\slash`:                     "http://example.com/back/slash",
		"http://user:secret@example.com/": "http://example.com/",
		"http://m\u00fcnchen.example/":    "http://xn--mnchen-3ya.example/",
		"http://[::1]:80/":                "http://[::1]/",
		"/a|b^c":                          "http://example.com/a%7Cb%5Ec",
	} {
		u, err := base.Parse(ref)
		if err != nil {
			t.Errorf("%q: %v", ref, err)
			continue
		}
		if got := canonical(u); got != want {
			t.Errorf("%q is %s, want %s", ref, got, want)
		}
	}
}

func TestParseStart_withoutScheme_isHTTP(t *testing.T) {
	for raw, want := range map[string]string{
		"example.com":             "http://example.com/",
		"localhost:8080/x":        "http://localhost:8080/x",
		"https://example.com/a#b": "https://example.com/a",
	} {
		u, err := parseStart(raw)
		if err != nil {
			t.Errorf("%q: %v", raw, err)
		} else if got := canonical(u); got != want {
			t.Errorf("%q is %s, want %s", raw, got, want)
		}
	}
	for _, raw := range []string{"", "ftp://example.com/", "http://", "http://h:99999/", "file:///etc/passwd"} {
		if u, err := parseStart(raw); err == nil {
			t.Errorf("%q was taken as %s", raw, u.Href(false))
		}
	}
}

func TestOrigin_isSchemeAndAuthority(t *testing.T) {
	for _, s := range []string{"https://h:8/", "https://h:8/a/b?c=//d", "https://h:8/?x"} {
		if got := origin(s); got != "https://h:8" {
			t.Errorf("origin of %s: %s", s, got)
		}
		if got := host(s); got != "h:8" {
			t.Errorf("host of %s: %s", s, got)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"a", "//h/%", "http://[::1]/%41", "?\x80", "\\\\x", "http://h/^|`\"<>", "http://a b/", "http:///x", "http://%00/", "?%6%66"} {
		f.Add(s)
	}
	base, _ := urls.Parse("http://example.com/a/b")
	f.Fuzz(func(t *testing.T, ref string) {
		u, err := base.Parse(ref)
		if err != nil || !isWeb(u) {
			return
		}
		once := canonical(u)
		again, err := urls.Parse(once)
		if err != nil {
			t.Fatalf("%q: canonical form %q cannot be read: %v", ref, once, err)
		}
		if twice := canonical(again); twice != once {
			t.Fatalf("%q: %q, then %q", ref, once, twice)
		}
		if host(once) == "" {
			t.Fatalf("%q: %q has no host", ref, once)
		}
		// What is fetched is what is stored.
		if std, err := url.Parse(once); err == nil && std.Host != host(once) {
			t.Fatalf("%q: net/url sees host %q in %q", ref, std.Host, once)
		}
	})
}
