package crawl

import (
	"net/url"
	"runtime"
	"strings"
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
		u, err := resolve(base, ref)
		if err != nil {
			t.Errorf("%q: %v", ref, err)
			continue
		}
		if got := canonical(u); got != want {
			t.Errorf("%q is %s, want %s", ref, got, want)
		}
	}
}

// What is counted is memory, which grows with the time: most of it goes into
// strings that are put together piece by piece.
func TestResolve_hostileAddresses_costInProportionToTheirLength(t *testing.T) {
	base, _ := urls.Parse("http://example.com/a/b")
	for name, ref := range map[string]func(n int) string{
		"@":             func(n int) string { return "http://" + strings.Repeat("@", n) + "h/" },
		"other scheme":  func(n int) string { return "https:" + strings.Repeat("@", n) + "h/" },
		"no scheme":     func(n int) string { return "/\\" + strings.Repeat("@", n) + "h/" },
		"hidden":        func(n int) string { return " ht\ntp:/\t/" + strings.Repeat("@", n) + "h/" },
		"user, no name": func(n int) string { return "http://" + strings.Repeat("@", n) + "/" },
		"passwords":     func(n int) string { return "http://" + strings.Repeat("a:@", n/3) + "h/" },
		"long name":     func(n int) string { return "http://" + strings.Repeat("u", n) + "@h/" },
		"up and down":   func(n int) string { return strings.Repeat("a/", n/5) + strings.Repeat("../", n/5) },
		"escapes":       func(n int) string { return "http://" + strings.Repeat("%41", n/3) + "/" },
		"labels":        func(n int) string { return "http://" + strings.Repeat("a.", n/2) + "/" },
		"numbers":       func(n int) string { return "http://" + strings.Repeat("1.", n/2) + "/" },
		"query":         func(n int) string { return "?" + strings.Repeat("\u00e9", n/2) },
		"slashes":       func(n int) string { return strings.Repeat("/", n) },
		"port":          func(n int) string { return "http://h:" + strings.Repeat("0", n) + "80/" },
		"address":       func(n int) string { return "http://[" + strings.Repeat("1:", n/2) + "]/" },
		"letters":       func(n int) string { return "http://" + strings.Repeat("\u00fc", n/2) + "/" },
		"other":         func(n int) string { return "x:" + strings.Repeat("\u00e9 ", n/3) },
	} {
		for _, n := range []int{refLimitBytes - 20, 50 * refLimitBytes} {
			s := ref(n)
			before := allocatedBytes()
			u, err := resolve(base, s)
			if used := allocatedBytes() - before; used > 200*uint64(n) {
				t.Errorf("%s: %d bytes took %d bytes of memory", name, n, used)
			}
			if n > refLimitBytes && err == nil {
				t.Errorf("%s: %d bytes are taken for an address", name, n)
			}
			if err == nil && strings.HasSuffix(s, "@h/") && canonical(u) != u.Protocol()+"//h/" {
				t.Errorf("%s of %d bytes is %.40s", name, n, canonical(u))
			}
			if err == nil && strings.HasSuffix(s, "@/") {
				t.Errorf("%s of %d bytes has no host, and is %.40s", name, n, canonical(u))
			}
		}
	}
}

func allocatedBytes() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
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
	for _, s := range []string{"a", "//h/%", "http://[::1]/%41", "?\x80", "\\\\x", "http://h/^|`\"<>", "http://a b/", "http:///x", "http://%00/", "?%6%66", "http:/\\u:p@@h", "https:@h", "//@/x", "http:u@h", "/u@h", " \t//u\n@h:80"} {
		f.Add(s)
	}
	base, _ := urls.Parse("http://example.com/a/b")
	f.Fuzz(func(t *testing.T, ref string) {
		u, err := base.Parse(ref)
		v, errWithout := base.Parse(withoutCredentials(base, ref))
		if (err == nil && isWeb(u)) != (errWithout == nil && isWeb(v)) {
			t.Fatalf("%q: %v; without credentials %v", ref, err, errWithout)
		}
		if err != nil || !isWeb(u) {
			return
		}
		once := canonical(u)
		if without := canonical(v); without != once {
			t.Fatalf("%q: %q, without credentials %q", ref, once, without)
		}
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
