package crawl

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"
)

func parse(t *testing.T, page string) document {
	t.Helper()
	base, err := urls.Parse("http://example.com/dir/page.html")
	if err != nil {
		t.Fatal(err)
	}
	return parseHTML([]byte(page), base, "asyncio-crawl")
}

func describe(links []link) (out []string) {
	for _, l := range links {
		s := strings.TrimPrefix(l.url, "http://example.com")
		if l.kind == nofollow {
			s += " nofollow"
		}
		out = append(out, s)
	}
	return out
}

func TestParseHTML_links(t *testing.T) {
	for name, c := range map[string]struct {
		page string
		want []string
	}{
		"anchors, areas and frames": {`<a href=a>x</a><AREA HREF='/b'><iframe src="c?d=1&amp;e=2"></iframe>`,
			[]string{"/dir/a", "/b", "/dir/c?d=1&e=2"}},
		"each target once, without fragments": {`<a href="a#1"><a href="a#2"><a href="/dir/a"><a href="#top"><a href="./a">`,
			[]string{"/dir/a"}},
		"only web addresses": {`<a href="mailto:a@b"><a href="javascript:void(0)"><a href="tel:1"><a href="data:,x"><a href="ftp://h/"><a href="http://h:bad/">`,
			nil},
		"an empty href is the page itself": {`<a href="">`, []string{"/dir/page.html"}},
		"links of the head":                {`<link rel="next" href=n><link rel=canonical href=c><link rel=stylesheet href=s.css>`, []string{"/dir/n", "/dir/c"}},
		"base applies to all of the page":  {`<a href=x><base href="/other/"><base href="/ignored/"><a href=y>`, []string{"/other/x", "/other/y"}},
		"rel nofollow":                     {`<a rel="external NoFollow" href=a><a href=b rel=nofollower>`, []string{"/dir/a nofollow", "/dir/b"}},
		"followed if one of its links may be": {`<a rel=nofollow href=a><a href=a><a href=b><a rel=nofollow href=b#x><a rel=nofollow href=/c><a href=../c>`,
			[]string{"/dir/a", "/dir/b", "/c"}},
		"meta robots nofollow is for the whole page": {`<a href=a><meta name=ROBOTS content="noindex, NoFollow"><a href=b>`,
			[]string{"/dir/a nofollow", "/dir/b nofollow"}},
		"meta for us":          {`<meta name="asyncio-crawl" content="none"><a href=a>`, []string{"/dir/a nofollow"}},
		"meta for another bot": {`<meta name="googlebot" content="nofollow"><a href=a>`, []string{"/dir/a"}},
		"meta refresh":         {`<meta http-equiv=Refresh content="0; URL='next.html'">`, []string{"/dir/next.html"}},
		"scripts, comments, textareas and titles hold no links": {
			`<script>"<a href=1>"</script><!-- <a href=2> --><textarea><a href=3></textarea><title><a href=4></title><style><a href=5></style>`, nil},
		"broken markup": {`</p><a href="a"<a href=b><p <a href=c></q><a href=d/><a href=e`, []string{"/dir/a", "/dir/d/"}},
		"of a repeated attribute the first counts": {`<a href=a href=b>`, []string{"/dir/a"}},
		"space around an address":                  {"<a href=' \n a\t'>", []string{"/dir/a"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := describe(parse(t, c.page).links); !slices.Equal(got, c.want) {
				t.Errorf("%s\n got %q\nwant %q", c.page, got, c.want)
			}
		})
	}
}

func TestParseHTML_title(t *testing.T) {
	for page, want := range map[string]string{
		"<title> A\n  &amp; B </title><title>no</title>": "A & B",
		"<TITLE>x</TITLE><svg><title>no</title></svg>":   "x",
		"<title></title><p>no":                           "",
		"<title>open <b>":                                "open <b>",
		"<title>bad \xff</title>":                        "bad \uFFFD",
		"<p>none":                                        "",
	} {
		if got := parse(t, page).title; got != want {
			t.Errorf("%s: title %q, want %q", page, got, want)
		}
	}
}

func TestHeaderForbidsFollowing(t *testing.T) {
	for header, want := range map[string]bool{
		"nofollow":                         true,
		"noindex, none":                    true,
		"noindex":                          false,
		"otherbot: nofollow":               false,
		"asyncio-crawl: noindex, nofollow": true,
	} {
		if got := headerForbidsFollowing([]string{"noarchive", header}, "asyncio-crawl"); got != want {
			t.Errorf("%s: %v", header, got)
		}
	}
}

func TestToUTF8_charactersSets(t *testing.T) {
	const text = "<title>\u65e5\u672c \u00e9</title>"
	utf16, _ := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(text)
	sjis, _ := japanese.ShiftJIS.NewEncoder().String("<meta charset=Shift_JIS><title>\u65e5\u672c</title>")
	jis, _ := japanese.ISO2022JP.NewEncoder().String("<meta charset=iso-2022-jp><title>\u65e5\u672c</title>")
	latin, _ := charmap.Windows1252.NewEncoder().String("<title>caf\u00e9</title>")
	late := "<p>" + strings.Repeat("ascii ", 400) + text
	for name, c := range map[string]struct{ body, contentType, want string }{
		"declared utf-8":                        {text, "text/html; charset=utf-8", "\u65e5\u672c \u00e9"},
		"byte order mark, utf-8":                {"\ufeff" + text, "text/html; charset=iso-8859-1", "\u65e5\u672c \u00e9"},
		"byte order mark, utf-16":               {utf16, "text/html", "\u65e5\u672c \u00e9"},
		"meta element":                          {sjis, "text/html", "\u65e5\u672c"},
		"meta element, seven bits":              {jis, "text/html", "\u65e5\u672c"},
		"header before meta":                    {latin, "text/html; charset=latin1", "caf\u00e9"},
		"nothing declared, not utf-8":           {latin, "text/html", "caf\u00e9"},
		"nothing declared, utf-8 after 1024 B":  {late, "text/html", "\u65e5\u672c \u00e9"},
		"an unknown character set is passed by": {"<title>x</title>", "text/html; charset=klingon", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			body := toUTF8([]byte(c.body), c.contentType)
			if got := parse(t, string(body)).title; got != c.want {
				t.Errorf("title %q, want %q", got, c.want)
			}
		})
	}
}

func TestSelectFields(t *testing.T) {
	const page = `<base href="/b/"><div class=price> 9 <i>EUR</i><script>1</script></div>
		<img class=main src="i.png"><a data-id=7 href="?q=1">x</a><p class=price>10</p>`
	base, _ := urls.Parse("http://example.com/dir/page.html")
	for select_, want := range map[string]string{
		"price=.price":             "[9 EUR 10]",
		"photo=img.main@src":       "[http://example.com/b/i.png]",
		"id=a[href*='q=']@data-id": "[7]",
		"at=a[href='@']":           "[]",
		"link=a@href":              "[http://example.com/b/?q=1]",
		"none=img@alt":             "[]",
		"two=i, p.price":           "[EUR 10]",
	} {
		s, err := parseSelector(select_)
		if err != nil {
			t.Error(err)
			continue
		}
		fields, err := selectFields([]byte(page), base, []selector{s})
		if err != nil {
			t.Fatal(err)
		}
		values := []string{}
		for _, f := range fields {
			values = append(values, f.value)
		}
		if got := fmt.Sprint(values); got != want {
			t.Errorf("%s: %s, want %s", select_, got, want)
		}
	}
}

func TestParseSelector_mistakesAreNamed(t *testing.T) {
	for _, s := range []string{"", "price", "=p", "a=", "a=p@", "a=p[", "a=::nope(", "a=@href"} {
		if _, err := parseSelector(s); err == nil {
			t.Errorf("%q was taken", s)
		} else if !strings.Contains(err.Error(), fmt.Sprintf("%q", s)) {
			t.Errorf("%q: the error does not name it: %v", s, err)
		}
	}
}

func FuzzParseHTML(f *testing.F) {
	f.Add([]byte(`<base href="//h"><a href="a" rel=nofollow><meta http-equiv=refresh content="0;url=x"><title>`), "text/html; charset=utf-16")
	f.Add([]byte("\xff\xfe<\x00a\x00"), "text/html")
	f.Add([]byte("<meta charset=gb18030><a href=\x81\x30>"), "")
	f.Add([]byte(strings.Repeat("<div>", 600)+"<svg><title><![CDATA["), "text/html; charset=iso-2022-jp")
	base, _ := urls.Parse("http://example.com/dir/page.html")
	s, _ := parseSelector("a=a, b@href")
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		text := toUTF8(body, contentType)
		seen := map[string]bool{}
		for _, l := range parseHTML(text, base, "asyncio-crawl").links {
			if seen[l.url] {
				t.Fatalf("%s is listed twice", l.url)
			}
			seen[l.url] = true
			if !strings.HasPrefix(l.url, "http") || strings.ContainsAny(l.url, "# \n") {
				t.Fatalf("not canonical: %q", l.url)
			}
		}
		selectFields(text, base, []selector{s}) // must not panic
	})
}
