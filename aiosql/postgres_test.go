//go:build unix

package aiosql_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiosql"

	_ "github.com/jackc/pgx/v5/stdlib"
)

// postgres starts a PostgreSQL server for all tests, once, and returns its data source
// name. It listens on a Unix socket only.
var postgres = sync.OnceValues(func() (dsn string, err error) {
	bin, err := postgresBin()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "aiosql")
	if err != nil {
		return "", err
	}
	cleanup := func() { os.RemoveAll(dir) }
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir = dir
		return cmd
	}
	if os.Getuid() == 0 { // the server refuses to run as root
		if command, err = asUserPostgres(dir, command); err != nil {
			cleanup()
			return "", err
		}
	}
	data := filepath.Join(dir, "data")
	for _, cmd := range []*exec.Cmd{
		command("initdb", "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync"),
		command("pg_ctl", "start", "-w", "-D", data, "-l", filepath.Join(dir, "log"),
			"-o", fmt.Sprintf("-k %s -c listen_addresses='' -c fsync=off", dir)),
	} {
		if out, err := cmd.CombinedOutput(); err != nil {
			cleanup()
			return "", fmt.Errorf("%v: %w\n%s", cmd, err, out)
		}
	}
	servers = append(servers, func() {
		command("pg_ctl", "stop", "-m", "immediate", "-D", data).Run()
		cleanup()
	})
	return fmt.Sprintf("host=%s user=tester dbname=postgres", dir), nil
})

// postgresBin finds the directory of the server's programs, which Debian keeps off PATH.
func postgresBin() (string, error) {
	if initdb, err := exec.LookPath("initdb"); err == nil {
		initdb, err = filepath.EvalSymlinks(initdb)
		return filepath.Dir(initdb), err
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", errors.New("PostgreSQL is not installed (Debian: apt-get install postgresql)")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// asUserPostgres gives the directory to the user that Debian's package makes, and runs
// commands as that user.
func asUserPostgres(dir string, command func(string, ...string) *exec.Cmd) (func(string, ...string) *exec.Cmd, error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return func(name string, args ...string) *exec.Cmd {
		cmd := command(name, args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		return cmd
	}, os.Chown(dir, uid, gid)
}

// withPostgres runs body with a database of two connections.
func withPostgres(t *testing.T, body func(ctx context.Context, db *aiosql.DB)) {
	t.Helper()
	dsn, err := postgres()
	if err != nil {
		t.Skipf("skipped: what is shown here needs a PostgreSQL server: %v", err)
	}
	run(t, func(ctx context.Context) {
		db, err := aiosql.Open(ctx, "pgx", dsn, aiosql.WithMaxConns(2))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close(ctx)
		body(ctx, db)
	})
}

func TestPostgres_rows_areScanned(t *testing.T) {
	type row struct {
		ID        int
		Name      *string
		CreatedAt time.Time
	}
	withPostgres(t, func(ctx context.Context, db *aiosql.DB) {
		rows, err := aiosql.Collect(aiosql.Query[row](ctx, db,
			"SELECT i AS id, CASE WHEN i % 2 = 0 THEN 'even' END AS name, now() AS created_at FROM generate_series(1, $1::int) i", 3000))
		if err != nil || len(rows) != 3000 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		if r := rows[1]; r.ID != 2 || *r.Name != "even" || r.CreatedAt.IsZero() || rows[2].Name != nil {
			t.Errorf("rows 2 and 3 are %+v, %+v", r, rows[2])
		}
	})
}

func TestPostgres_lastInsertId_isAnErrorOnlyWhenAskedFor(t *testing.T) {
	withPostgres(t, func(ctx context.Context, db *aiosql.DB) {
		mustExec(t, ctx, db, "DROP TABLE IF EXISTS ids")
		mustExec(t, ctx, db, "CREATE TABLE ids (i int)")
		res, err := db.Exec(ctx, "INSERT INTO ids VALUES (1), (2)")
		if err != nil {
			t.Fatal(err)
		}
		if n, err := res.RowsAffected(); n != 2 || err != nil {
			t.Errorf("RowsAffected = %d, %v", n, err)
		}
		if _, err := res.LastInsertId(); err == nil {
			t.Error("LastInsertId is known, which PostgreSQL has not")
		}
	})
}

func TestPostgres_cancelledStatement_endsHereAndOnTheServer(t *testing.T) {
	withPostgres(t, func(ctx context.Context, db *aiosql.DB) {
		start := time.Now()
		err := asyncio.Timeout(ctx, 100*time.Millisecond, func(ctx context.Context) error {
			_, err := db.Exec(ctx, "SELECT pg_sleep(60)")
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Exec = %v, want the timeout", err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		// The driver cancels on the server after it has returned, in its own time.
		for {
			running, err := aiosql.QueryRow[int](ctx, db, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'")
			if err != nil {
				t.Fatal(err)
			}
			if running == 0 {
				return
			}
			if time.Since(start) > 20*time.Second {
				t.Fatal("the statement still runs on the server")
			}
		}
	})
}

func TestPostgres_rangeLeftEarly_givesTheConnectionBack(t *testing.T) {
	withPostgres(t, func(ctx context.Context, db *aiosql.DB) {
		for range 5 {
			for i, err := range aiosql.Query[int](ctx, db, "SELECT generate_series(1, 100000)") {
				if err != nil {
					t.Fatal(err)
				}
				if i == 3 {
					break
				}
			}
		}
		if got, err := aiosql.QueryRow[int](ctx, db, "SELECT 1"); got != 1 || err != nil {
			t.Error(got, err)
		}
	})
}

func TestPostgres_transaction_commitsOrRollsBack(t *testing.T) {
	withPostgres(t, func(ctx context.Context, db *aiosql.DB) {
		mustExec(t, ctx, db, "DROP TABLE IF EXISTS tx")
		mustExec(t, ctx, db, "CREATE TABLE tx (i int)")
		insert := func(ctx context.Context, tx *aiosql.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO tx VALUES (1)")
			return err
		}
		for _, tc := range []struct {
			name, want string
			fn         func(ctx context.Context, tx *aiosql.Tx) error
			rows       int
		}{
			{"commit", "", insert, 1},
			{"error", "mine", func(ctx context.Context, tx *aiosql.Tx) error {
				return errors.Join(insert(ctx, tx), errors.New("mine"))
			}, 0},
			{"cancel", "timed out", func(ctx context.Context, tx *aiosql.Tx) error {
				insert(ctx, tx)
				return asyncio.Timeout(ctx, 50*time.Millisecond, func(ctx context.Context) error {
					_, err := tx.Exec(ctx, "SELECT pg_sleep(60)")
					return err
				})
			}, 0},
			{"a failed statement that is ignored", "commit", func(ctx context.Context, tx *aiosql.Tx) error {
				insert(ctx, tx)
				tx.Exec(ctx, "NONSENSE")
				return nil
			}, 0},
		} {
			mustExec(t, ctx, db, "DELETE FROM tx")
			err := db.Tx(ctx, tc.fn)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: Tx = %v, want %q", tc.name, err, tc.want)
			}
			if n := mustCount(t, ctx, db, "tx"); n != tc.rows {
				t.Errorf("%s: %d rows, want %d", tc.name, n, tc.rows)
			}
		}
	})
}

func TestPostgres_oneTransactionInManyCoroutines_works(t *testing.T) {
	withPostgres(t, func(ctx context.Context, db *aiosql.DB) {
		err := db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error {
			return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
				for range 10 {
					g.Go(func(ctx context.Context) error {
						seen := 0
						for i, err := range aiosql.Query[int](ctx, tx, "SELECT generate_series(1, 1000)") {
							if err != nil {
								return err
							}
							if seen++; i != seen {
								t.Errorf("row %d is %d", seen, i)
							}
							asyncio.Yield(ctx)
						}
						if seen != 1000 {
							t.Errorf("%d rows", seen)
						}
						return nil
					})
				}
				return nil
			})
		}, aiosql.ReadOnly())
		if err != nil {
			t.Error(err)
		}
	})
}

func TestPostgres_serverGone_isAnError(t *testing.T) {
	run(t, func(ctx context.Context) {
		_, err := aiosql.Open(ctx, "pgx", "host="+t.TempDir()+" user=tester password=secret dbname=x")
		if err == nil || !strings.Contains(err.Error(), "aiosql: open pgx: ") || strings.Contains(err.Error(), "secret") {
			t.Errorf("Open = %v", err)
		}
	})
}
