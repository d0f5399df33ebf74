package sqlite_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiosql"
	"github.com/go-asyncio/asyncio/aiosql/sqlite"
	"github.com/go-asyncio/asyncio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func run(t *testing.T, body func(ctx context.Context)) {
	t.Helper()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error { body(ctx); return nil })
	if err != nil {
		t.Error(err)
	}
}

func TestOpen_eachConnection_hasTheSettings(t *testing.T) {
	run(t, func(ctx context.Context) {
		db, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "a b?c#d%.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close(ctx)
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "1", "busy_timeout": "10000", "foreign_keys": "1"} {
			asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
				for range 8 {
					g.Go(func(ctx context.Context) error {
						got, err := aiosql.QueryRow[string](ctx, db, "PRAGMA "+pragma)
						if got != want || err != nil {
							t.Errorf("%s = %s, %v, want %s", pragma, got, err, want)
						}
						return nil
					})
				}
				return nil
			})
		}
	})
}

func TestOpen_pathWithOddCharacters_isThatFile(t *testing.T) {
	run(t, func(ctx context.Context) {
		path := filepath.Join(t.TempDir(), "a b?c#d%41.db")
		db, err := sqlite.Open(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		db.Exec(ctx, "CREATE TABLE t (i)")
		db.Close(ctx)
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	})
}

func TestOpen_uri_keepsItsParameters(t *testing.T) {
	run(t, func(ctx context.Context) {
		path := filepath.Join(t.TempDir(), "x.db")
		db, err := sqlite.Open(ctx, "file:"+path+"?_synchronous=FULL")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := aiosql.QueryRow[int](ctx, db, "PRAGMA synchronous"); got != 2 || err != nil {
			t.Errorf("synchronous = %d, %v, want 2 for FULL", got, err)
		}
		db.Exec(ctx, "CREATE TABLE t (i)")
		db.Close(ctx)
		db, err = sqlite.Open(ctx, "file:"+path+"?mode=ro")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close(ctx)
		err = db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error {
			_, err := aiosql.Collect(aiosql.Query[int](ctx, tx, "SELECT i FROM t"))
			return err
		})
		if err != nil {
			t.Errorf("reading in a transaction = %v", err)
		}
		if _, err := db.Exec(ctx, "INSERT INTO t VALUES (1)"); err == nil || !strings.Contains(err.Error(), "readonly") {
			t.Errorf("writing to a read-only database = %v", err)
		}
	})
}

func TestOpen_notADatabase_saysSoAndNamesTheFile(t *testing.T) {
	run(t, func(ctx context.Context) {
		path := filepath.Join(t.TempDir(), "notes.txt")
		os.WriteFile(path, []byte(strings.Repeat("not a database\n", 100)), 0o600)
		_, err := sqlite.Open(ctx, path)
		if err == nil || !strings.Contains(err.Error(), "notes.txt") || !strings.Contains(err.Error(), "not a database") {
			t.Errorf("Open = %v", err)
		}
	})
}

func TestClose_leavesOneFile(t *testing.T) {
	run(t, func(ctx context.Context) {
		dir := t.TempDir()
		db, err := sqlite.Open(ctx, filepath.Join(dir, "x.db"))
		if err != nil {
			t.Fatal(err)
		}
		db.Exec(ctx, "CREATE TABLE t (i)")
		if err := db.Close(ctx); err != nil {
			t.Error(err)
		}
		if files, _ := os.ReadDir(dir); len(files) != 1 {
			t.Errorf("after Close there are %v, want the database alone", files)
		}
	})
}

func TestTx_writersThatReadFirst_doNotFailEachOther(t *testing.T) {
	run(t, func(ctx context.Context) {
		db, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "x.db"), aiosql.WithMaxConns(4))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close(ctx)
		db.Exec(ctx, "CREATE TABLE counter (n)")
		db.Exec(ctx, "INSERT INTO counter VALUES (0)")
		err = asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for range 20 {
				g.Go(func(ctx context.Context) error {
					return db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error {
						n, err := aiosql.QueryRow[int](ctx, tx, "SELECT n FROM counter")
						if err != nil {
							return err
						}
						_, err = tx.Exec(ctx, "UPDATE counter SET n = ?", n+1)
						return err
					})
				})
			}
			return nil
		})
		n, _ := aiosql.QueryRow[int](ctx, db, "SELECT n FROM counter")
		if err != nil || n != 20 {
			t.Errorf("Group = %v, the counter is %d, want 20", err, n)
		}
	})
}
