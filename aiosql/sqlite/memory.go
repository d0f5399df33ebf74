package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
)

// memory connects to a database in memory. SQLite forgets such a database when its last
// connection is closed, and a pool closes connections, for instance one on which a
// statement panicked. So memory keeps a connection of its own until the pool is closed.
type memory struct {
	name string // for the driver

	mu     sync.Mutex
	anchor driver.Conn
	closed bool
}

// Connect implements driver.Connector.
func (m *memory) Connect(context.Context) (driver.Conn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, errors.New("the database in memory is closed")
	}
	if m.anchor == nil {
		var err error
		if m.anchor, err = registered().Open(m.name); err != nil {
			return nil, err
		}
	}
	return registered().Open(m.name)
}

// Close implements io.Closer: the pool calls it at its end.
func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	if m.anchor == nil {
		return nil
	}
	return m.anchor.Close()
}

// Driver implements driver.Connector.
func (m *memory) Driver() driver.Driver { return registered() }

// registered returns the driver, with what the program has added to it.
var registered = sync.OnceValue(func() driver.Driver {
	pool, err := sql.Open("sqlite", "")
	if err != nil {
		panic(err) // the import of the driver registers it
	}
	defer pool.Close()
	return pool.Driver()
})
