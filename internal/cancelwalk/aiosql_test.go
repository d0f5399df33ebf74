//go:build unix

package cancelwalk_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/go-asyncio/asyncio/aiosql"
	"github.com/go-asyncio/asyncio/aiosql/sqlite"
)

func TestAiosql(t *testing.T) { testAll(t, statements) }

var statements = []walk{
	{"Open, OpenDB", 1, opensSQL},
	{"DB.Exec", 1, queries(func(ctx context.Context, db *aiosql.DB) error {
		_, err := db.Exec(ctx, "INSERT INTO rows SELECT n + 1000 FROM rows")
		return err
	})},
	{"DB.Tx, Tx.Exec", 1, queries(func(ctx context.Context, db *aiosql.DB) error {
		return db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error {
			for range 10 {
				if _, err := tx.Exec(ctx, "INSERT INTO rows SELECT max(n) + 1 FROM rows"); err != nil {
					return err
				}
			}
			return nil
		})
	})},
	{"Query", 1, queries(func(ctx context.Context, db *aiosql.DB) error {
		want := 0
		for n, err := range aiosql.Query[int](ctx, db, "SELECT n FROM rows ORDER BY n") {
			if err != nil {
				return err
			}
			if want++; n != want {
				return fmt.Errorf("row %d is %d", want, n)
			}
		}
		return nil
	})},
	{"QueryRow", 1, queries(func(ctx context.Context, db *aiosql.DB) error {
		_, err := aiosql.QueryRow[int](ctx, db, "SELECT count(*) FROM rows")
		return err
	})},
	{"DB.Close", 1, func(ctx context.Context, s *stage) error {
		db, err := sqlite.Open(ctx, filepath.Join(s.dir, "db"))
		s.do = func(ctx context.Context) error { return db.Close(ctx) }
		s.check = func(ctx context.Context, _ error) error {
			if err := db.Close(ctx); err != nil && !errors.Is(err, aiosql.ErrClosed) {
				return err
			}
			return nil
		}
		return err
	}},
}

func opensSQL(_ context.Context, s *stage) error {
	var db *aiosql.DB
	s.do = func(ctx context.Context) (err error) {
		db, err = sqlite.Open(ctx, filepath.Join(s.dir, "db"))
		return err
	}
	s.check = func(ctx context.Context, err error) error {
		if err != nil {
			return nil
		}
		return db.Close(ctx)
	}
	return nil
}

// What a cancelled statement or transaction should have changed is changed as a whole, or not at all; the database and
// its one connection go on.
func queries(do func(ctx context.Context, db *aiosql.DB) error) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		db, err := sqlite.Open(ctx, filepath.Join(s.dir, "db"), aiosql.WithMaxConns(1))
		if err != nil {
			return err
		}
		const rows = 2000
		for _, q := range []string{
			"PRAGMA synchronous = OFF", // nobody switches the machine off
			"CREATE TABLE rows (n INTEGER)",
			"INSERT INTO rows WITH RECURSIVE r(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM r WHERE i < 2000) SELECT i FROM r",
		} {
			if _, err := db.Exec(ctx, q); err != nil {
				return err
			}
		}
		s.do = func(ctx context.Context) error { return do(ctx, db) }
		s.check = func(ctx context.Context, _ error) error {
			n, err := aiosql.QueryRow[int](ctx, db, "SELECT count(*) FROM rows")
			if err == nil && n != rows && n != rows+10 && n != 2*rows {
				err = fmt.Errorf("%d rows", n)
			}
			return errors.Join(err, db.Close(ctx))
		}
		return nil
	}
}
