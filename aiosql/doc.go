// Package aiosql runs databases from coroutines: any database/sql driver, awaited.
//
//	db, err := aiosql.Open(ctx, "pgx", "postgres://localhost/shop")
//	...
//	defer db.Close(ctx)
//
//	for page, err := range aiosql.Query[Page](ctx, db, "SELECT url, status FROM pages WHERE depth < ?", 3) {
//		...
//	}
//
//	err = db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error {
//		_, err := tx.Exec(ctx, "UPDATE accounts SET cents = cents - ? WHERE id = ?", cents, from)
//		...
//	})
//
// SQLite is a package away: aiosql/sqlite, a driver in pure Go, with the settings
// that a program wants. Other drivers are imported as always with database/sql.
//
// # How it works
//
// A driver blocks, and database/sql itself blocks when its pool is exhausted or when
// two callers share a transaction, so neither may ever run on the loop. Each call
// first waits on the loop for one of the connections (WithMaxConns), in the order of
// coming; then the work is done in a thread, of which there are as many as
// connections. So nothing ever waits in a thread for a connection, a full pool holds
// up neither the loop nor the threads of others, and a deadlock in a program shows in
// the loop's report. Rows are fetched and scanned in batches, so that a row costs no
// hop to a thread (1 to 3 µs) of its own; a batch starts with one row, doubles, and
// ends at 512 rows or 1 MiB of text and blobs, so that memory stays bounded.
//
// The alternative, drivers on the loop over our sockets, saves those hops but needs
// each driver's cooperation; this works with all of them.
//
// # Rules
//
//   - A DB belongs to the loop on which it was opened.
//   - Arguments' driver.Valuer and results' sql.Scanner methods run in a thread: they
//     must not touch what the loop owns.
//   - Do not ask a DB for a connection where you hold one of it: in a Tx block use the
//     Tx, and collect rows before further statements (see Collect). What would wait for
//     the calling task itself is ErrWaitsForItself. Several tasks that hold connections
//     and wait for more of them can wait for each other.
//
// # How it ends
//
// When ctx is cancelled the statement is cancelled, in the way that its driver does
// that, and the call returns when the driver has returned: the connection is never in
// use behind your back. A driver that does not heed contexts makes the wait last until
// the statement has ended. Errors then are the cause of ctx, together with what the
// driver said. A transaction ends with its block. A DB ends with Close, at the latest
// with its loop.
package aiosql
