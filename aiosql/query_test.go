package aiosql_test

import (
	"context"
	"database/sql"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiosql"
)

type audit struct {
	CreatedAt time.Time
	Editor    string `db:"changed_by"`
}

type page struct {
	audit
	ID     int64
	URL    string
	Title  *string
	Size   sql.Null[int64]
	Body   []byte
	Status any
	Notes  string `db:"-"`
}

func TestQuery_structs_takeColumnsByTagOrName(t *testing.T) {
	run(t, func(ctx context.Context) {
		db := openSQLite(t, ctx)
		created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		mustExec(t, ctx, db, `CREATE TABLE pages (id INTEGER PRIMARY KEY, url TEXT, title TEXT, size INTEGER, body BLOB, status, created_at DATETIME, changed_by TEXT)`)
		mustExec(t, ctx, db, `INSERT INTO pages VALUES (1, 'a', 'A', 7, x'0102', 200, ?, 'me'), (2, 'b', NULL, NULL, NULL, NULL, ?, 'you')`, created, created)
		got, err := aiosql.Collect(aiosql.Query[page](ctx, db, "SELECT * FROM pages ORDER BY ID"))
		if err != nil {
			t.Fatal(err)
		}
		title := "A"
		want := []page{
			{ID: 1, URL: "a", Title: &title, Size: sql.Null[int64]{V: 7, Valid: true}, Body: []byte{1, 2}, Status: int64(200), audit: audit{created, "me"}},
			{ID: 2, URL: "b", audit: audit{created, "you"}},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
}

func TestQuery_singleColumn_isScannedIntoItsType(t *testing.T) {
	run(t, func(ctx context.Context) {
		db := openSQLite(t, ctx)
		if got, err := aiosql.QueryRow[string](ctx, db, "SELECT 'text'"); got != "text" || err != nil {
			t.Error(got, err)
		}
		if got, err := aiosql.QueryRow[float64](ctx, db, "SELECT 1.5"); got != 1.5 || err != nil {
			t.Error(got, err)
		}
		if got, err := aiosql.QueryRow[*int](ctx, db, "SELECT NULL"); got != nil || err != nil {
			t.Error(got, err)
		}
		if got, err := aiosql.QueryRow[sql.Null[int]](ctx, db, "SELECT 3"); got.V != 3 || !got.Valid || err != nil {
			t.Error(got, err)
		}
		if got, err := aiosql.QueryRow[[]byte](ctx, db, "SELECT x'00ff'"); !slices.Equal(got, []byte{0, 255}) || err != nil {
			t.Error(got, err)
		}
	})
}

func TestQuery_manyRows_comeInOrder(t *testing.T) {
	run(t, func(ctx context.Context) {
		db := openSQLite(t, ctx)
		const n = 5000
		want := 0
		for i, err := range aiosql.Query[int](ctx, db, upTo, n) {
			if want++; err != nil || i != want {
				t.Fatalf("row %d = %d, %v", want, i, err)
			}
		}
		if want != n {
			t.Errorf("got %d rows, want %d", want, n)
		}
	})
}

// fetched counts the values that were scanned.
var fetched atomic.Int64

type countedBlob []byte

func (b *countedBlob) Scan(v any) error {
	fetched.Add(1)
	*b = slices.Clone(v.([]byte))
	return nil
}

func TestQuery_largeRows_areFetchedOnlyAFewAhead(t *testing.T) {
	run(t, func(ctx context.Context) {
		db := openSQLite(t, ctx)
		fetched.Store(0)
		seen := int64(0)
		for _, err := range aiosql.Query[countedBlob](ctx, db, "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i < 50) SELECT zeroblob(700000) FROM n") {
			if err != nil {
				t.Fatal(err)
			}
			if ahead := fetched.Load() - seen; ahead > 2 {
				t.Fatalf("%d rows of 0.7 MB are in memory at once, want 2 at most", ahead)
			}
			seen++
		}
		if seen != 50 {
			t.Errorf("got %d rows, want 50", seen)
		}
	})
}

func TestQuery_leftEarly_givesTheConnectionBack(t *testing.T) {
	run(t, func(ctx context.Context) {
		db := openSQLite(t, ctx, aiosql.WithMaxConns(1))
		for i, err := range aiosql.Query[int](ctx, db, upTo, 1_000_000_000) {
			if err != nil {
				t.Fatal(err)
			}
			if i == 10 {
				break
			}
		}
		func() {
			defer func() { recover() }()
			for range aiosql.Query[int](ctx, db, upTo, 1_000_000_000) {
				panic("in the body")
			}
		}()
		if got, err := aiosql.QueryRow[int](ctx, db, "SELECT 1"); got != 1 || err != nil {
			t.Errorf("the next query on the only connection = %d, %v", got, err)
		}
	})
}

func TestQuery_rangedTwice_runsTwice(t *testing.T) {
	run(t, func(ctx context.Context) {
		db := openSQLite(t, ctx)
		rows := aiosql.Query[int](ctx, db, upTo, 3)
		for range 2 {
			if got, err := aiosql.Collect(rows); !slices.Equal(got, []int{1, 2, 3}) || err != nil {
				t.Errorf("Collect = %v, %v", got, err)
			}
		}
	})
}

type panicking struct{}

func (*panicking) Scan(any) error { panic("in Scan") }

func TestQuery_wrongUse_saysWhatAndHowToMend(t *testing.T) {
	run(t, func(ctx context.Context) {
		db := openSQLite(t, ctx, aiosql.WithMaxConns(1))
		type titled struct{ Title string }
		for _, tc := range []struct {
			name, want string
			query      func() error
		}{
			{"bad SQL", `aiosql: query "SELEC 1": `, second(aiosql.Collect[int], aiosql.Query[int](ctx, db, "SELEC\n1"))},
			{"no such table", "no such table: missing", second(aiosql.Collect[int], aiosql.Query[int](ctx, db, "SELECT a FROM missing"))},
			{"too many columns", "the query has 2 columns, and a int takes one", second(aiosql.Collect[int], aiosql.Query[int](ctx, db, "SELECT 1, 2"))},
			{"column without field", `the column "size" has no field in aiosql_test.titled: add one with the tag`, second(aiosql.Collect[titled], aiosql.Query[titled](ctx, db, "SELECT 'x' AS title, 1 AS size"))},
			{"two columns of one name", `two columns "title": rename one with AS`, second(aiosql.Collect[titled], aiosql.Query[titled](ctx, db, "SELECT 'x' AS title, 'y' AS title"))},
			{"NULL", "use a pointer or sql.Null", second(aiosql.Collect[titled], aiosql.Query[titled](ctx, db, "SELECT NULL AS title"))},
			{"raw bytes", "use []byte", second(aiosql.Collect[sql.RawBytes], aiosql.Query[sql.RawBytes](ctx, db, "SELECT 1"))},
			{"map", "use a struct or a column's type", second(aiosql.Collect[map[string]any], aiosql.Query[map[string]any](ctx, db, "SELECT 1"))},
			{"pointer to struct", "use a struct or a column's type", second(aiosql.Collect[*titled], aiosql.Query[*titled](ctx, db, "SELECT 'x' AS title"))},
			{"Scan panics", "in Scan", second(aiosql.Collect[panicking], aiosql.Query[panicking](ctx, db, "SELECT 1"))},
		} {
			if err := tc.query(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: error = %v, want %q in it", tc.name, err, tc.want)
			}
		}
		if _, err := aiosql.QueryRow[struct{ P *panicking }](ctx, db, "SELECT 1 AS p"); err == nil {
			t.Error("QueryRow with a panicking Scan succeeded")
		}
		// The only connection is free after all of that.
		if got, err := aiosql.QueryRow[int](ctx, db, "SELECT 1"); got != 1 || err != nil {
			t.Error(got, err)
		}
	})
}

// second calls f(a) later and returns its error.
func second[A, B any](f func(A) (B, error), a A) func() error {
	return func() error {
		_, err := f(a)
		return err
	}
}

func TestQueryRow_noRow_isErrNoRows(t *testing.T) {
	run(t, func(ctx context.Context) {
		db := openSQLite(t, ctx)
		_, err := aiosql.QueryRow[int](ctx, db, "SELECT 1 WHERE 0")
		if !errors.Is(err, sql.ErrNoRows) || !strings.Contains(err.Error(), "SELECT 1 WHERE 0") {
			t.Errorf("error = %v, want sql.ErrNoRows and the query", err)
		}
	})
}

func TestCancel_runningStatement_endsAndLeavesAUsableConnection(t *testing.T) {
	run(t, func(ctx context.Context) {
		db := openSQLite(t, ctx, aiosql.WithMaxConns(1))
		mustExec(t, ctx, db, "CREATE TABLE t (i)")
		for name, statement := range map[string]func(ctx context.Context) error{
			"exec": func(ctx context.Context) error {
				_, err := db.Exec(ctx, "INSERT INTO t "+endless)
				return err
			},
			"query row": func(ctx context.Context) error {
				_, err := aiosql.QueryRow[int](ctx, db, endless)
				return err
			},
			"query": func(ctx context.Context) error {
				_, err := aiosql.Collect(aiosql.Query[int](ctx, db, endless))
				return err
			},
			"rows between batches": func(ctx context.Context) error {
				for _, err := range aiosql.Query[int](ctx, db, upTo, 1_000_000_000) {
					if err != nil {
						return err
					}
					if err := asyncio.Sleep(ctx, time.Hour); err == nil {
						return errors.New("slept for an hour")
					}
				}
				return nil
			},
		} {
			err := asyncio.Timeout(ctx, 30*time.Millisecond, statement)
			var timeout *asyncio.TimeoutError
			if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &timeout) {
				t.Errorf("%s: error = %v, want the timeout", name, err)
			}
			if n := mustCount(t, ctx, db, "t"); n != 0 {
				t.Errorf("%s: %d rows are in the table afterwards", name, n)
			}
		}
	})
}

func TestCancel_causeOfTheTask_isWhatTheErrorIs(t *testing.T) {
	run(t, func(ctx context.Context) {
		db := openSQLite(t, ctx)
		enough := errors.New("enough")
		task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
			return aiosql.QueryRow[int](ctx, db, endless)
		})
		asyncio.Sleep(ctx, 10*time.Millisecond)
		task.Cancel(enough)
		if _, err := task.Await(ctx); !errors.Is(err, enough) {
			t.Errorf("error = %v, want the cause", err)
		}
	})
}
