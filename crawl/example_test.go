package crawl_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiosql"
	"github.com/go-asyncio/asyncio/aiosql/sqlite"
	"github.com/go-asyncio/asyncio/crawl"
)

// A site is crawled into a database, which is then asked for broken links.
func Example() {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			io.WriteString(w, `<html><title>Front</title><h1>Welcome</h1> <a href="/news">news</a> <a href="/old">old</a>`)
		case "/news":
			io.WriteString(w, `<html><title>News</title><h1>None today</h1>`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer site.Close()
	dir, err := os.MkdirTemp("", "crawl-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "site.db")

	err = asyncio.Run(context.Background(), func(ctx context.Context) error {
		summary, err := crawl.Run(ctx, crawl.Config{
			Start:  []string{site.URL},
			Out:    file,
			Select: []string{"headline=h1"},
		})
		if err != nil {
			return err
		}
		fmt.Println(summary.Pages, "pages,", summary.Found, "found")

		db, err := sqlite.Open(ctx, file)
		if err != nil {
			return err
		}
		defer db.Close(ctx)
		for text, err := range aiosql.Query[string](ctx, db, "SELECT value FROM fields ORDER BY page") {
			if err != nil {
				return err
			}
			fmt.Println("headline:", text)
		}
		broken, err := aiosql.QueryRow[int](ctx, db, "SELECT count(*) FROM links WHERE target_status = 404")
		fmt.Println("broken links:", broken)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// 3 pages, 2 found
	// headline: Welcome
	// headline: None today
	// broken links: 1
}
