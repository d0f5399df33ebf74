package main

import (
	"crypto/sha256"
	"database/sql"
	"log"

	"github.com/gocolly/colly/v2"
	_ "modernc.org/sqlite"
)

// store writes rows in transactions of a thousand, from one goroutine.
type store struct {
	rows chan row
	done chan struct{}
}

type row struct {
	statement string
	values    []any
}

func openStore(file string) *store {
	db, err := sql.Open("sqlite", file+"?_pragma=journal_mode(wal)&_pragma=synchronous(normal)")
	if err == nil {
		_, err = db.Exec(`create table page (url text primary key, status int, type text, size int, hash blob);
			create table link (source text, target text)`)
	}
	if err != nil {
		log.Fatal(err)
	}
	s := &store{make(chan row, 1000), make(chan struct{})}
	go s.write(db)
	return s
}

func (s *store) page(r *colly.Response) {
	hash := sha256.Sum256(r.Body)
	s.rows <- row{"insert or replace into page values (?, ?, ?, ?, ?)",
		[]any{r.Request.URL.String(), r.StatusCode, r.Headers.Get("Content-Type"), len(r.Body), hash[:]}}
}

func (s *store) link(source, target string) {
	s.rows <- row{"insert into link values (?, ?)", []any{source, target}}
}

func (s *store) close() {
	close(s.rows)
	<-s.done
}

func (s *store) write(db *sql.DB) {
	defer close(s.done)
	defer db.Close()
	for open := true; open; {
		open = s.batch(db)
	}
}

// batch writes up to a thousand rows in one transaction and reports whether
// there may be more.
func (s *store) batch(db *sql.DB) bool {
	first, open := <-s.rows
	if !open {
		return false
	}
	tx, err := db.Begin()
	if err != nil {
		log.Fatal(err)
	}
	prepared := map[string]*sql.Stmt{}
	for n, r := 0, first; open; r, open = <-s.rows {
		statement := prepared[r.statement]
		if statement == nil {
			if statement, err = tx.Prepare(r.statement); err != nil {
				log.Fatal(err)
			}
			prepared[r.statement] = statement
		}
		if _, err := statement.Exec(r.values...); err != nil {
			log.Fatal(err)
		}
		if n++; n == 1000 {
			break
		}
	}
	if err := tx.Commit(); err != nil {
		log.Fatal(err)
	}
	return open
}
