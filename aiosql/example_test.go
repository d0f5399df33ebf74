package aiosql_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiosql"
	"github.com/go-asyncio/asyncio/aiosql/sqlite"
)

func Example() {
	type Page struct {
		URL    string
		Status int
		Title  *string // may be NULL
	}
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		db, err := sqlite.Open(ctx, ":memory:")
		if err != nil {
			return err
		}
		defer db.Close(ctx)
		if _, err := db.Exec(ctx, "CREATE TABLE pages (url TEXT, status INTEGER, title TEXT)"); err != nil {
			return err
		}
		if _, err := db.Exec(ctx, "INSERT INTO pages VALUES (?, ?, ?), (?, ?, NULL)", "/", 200, "Home", "/old", 301); err != nil {
			return err
		}
		for page, err := range aiosql.Query[Page](ctx, db, "SELECT * FROM pages ORDER BY url") {
			if err != nil {
				return err
			}
			fmt.Println(page.URL, page.Status, page.Title != nil)
		}
		n, err := aiosql.QueryRow[int](ctx, db, "SELECT count(*) FROM pages")
		fmt.Println(n, "pages")
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// / 200 true
	// /old 301 false
	// 2 pages
}

func ExampleDB_Tx() {
	errPoor := errors.New("not enough money")
	transfer := func(ctx context.Context, db *aiosql.DB, cents int) error {
		return db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error {
			if _, err := tx.Exec(ctx, "UPDATE accounts SET cents = cents + ? WHERE name = 'bob'", cents); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "UPDATE accounts SET cents = cents - ? WHERE name = 'ann'", cents); err != nil {
				return err
			}
			left, err := aiosql.QueryRow[int](ctx, tx, "SELECT cents FROM accounts WHERE name = 'ann'")
			if err == nil && left < 0 {
				err = errPoor // takes back both updates
			}
			return err
		})
	}
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		db, err := sqlite.Open(ctx, ":memory:")
		if err != nil {
			return err
		}
		defer db.Close(ctx)
		db.Exec(ctx, "CREATE TABLE accounts (name TEXT, cents INTEGER)")
		db.Exec(ctx, "INSERT INTO accounts VALUES ('ann', 100), ('bob', 0)")
		fmt.Println(transfer(ctx, db, 80))
		fmt.Println(transfer(ctx, db, 80))
		cents, err := aiosql.Collect(aiosql.Query[int](ctx, db, "SELECT cents FROM accounts ORDER BY name"))
		fmt.Println(cents)
		return err
	})
	// Output:
	// <nil>
	// not enough money
	// [20 80]
}
