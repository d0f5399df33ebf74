package aiosql

import (
	"database/sql"
	"fmt"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/go-asyncio/asyncio"
)

// This file puts rows into values of T. It is our own because it is short: the
// libraries for it (sqlx, scany) bring a second query interface, drivers or test
// servers in their requirements, and errors in which three layers speak.

// scanner scans rows with certain columns into values of T.
type scanner[T any] struct {
	columns []column
	dest    []any
}

// column is where the values of one column go.
type column struct {
	field []int  // of the struct T; nil if T itself takes the only column
	guard *guard // if user code scans it
}

func newScanner[T any](names []string) (*scanner[T], error) {
	t := reflect.TypeFor[T]()
	s := &scanner[T]{columns: make([]column, len(names)), dest: make([]any, len(names))}
	switch {
	case t == reflect.TypeFor[sql.RawBytes]():
		return nil, fmt.Errorf("%v is valid only until the next row is fetched: use []byte", t)
	case isColumn(t):
		if len(names) != 1 {
			return nil, fmt.Errorf("the query has %d columns, and a %v takes one: use a struct", len(names), t)
		}
		s.columns[0].guard = guardFor(t)
		return s, nil
	case t.Kind() != reflect.Struct:
		return nil, fmt.Errorf("rows cannot be scanned into a %v: use a struct or a column's type", t)
	}
	fields, err := fieldsFor(t, names)
	for i, field := range fields {
		s.columns[i] = column{field, guardFor(t.FieldByIndex(field).Type)}
	}
	return s, err
}

// row scans the current row.
func (s *scanner[T]) row(rows *sql.Rows, row *T) error {
	for i, c := range s.columns {
		v := c.in(row)
		if c.guard != nil {
			c.guard.into = v
			s.dest[i] = c.guard
		} else {
			s.dest[i] = v.Addr().Interface()
		}
	}
	return hint(rows.Scan(s.dest...))
}

// in returns the column's place in a row.
func (c column) in(row any) reflect.Value {
	v := reflect.ValueOf(row).Elem()
	if c.field != nil {
		v = v.FieldByIndex(c.field)
	}
	return v
}

// hint adds to the most common error of all how to mend it.
func hint(err error) error {
	if err != nil && strings.Contains(err.Error(), "converting NULL to") {
		return fmt.Errorf("%w: use a pointer or sql.Null for a column that may be NULL", err)
	}
	return err
}

// guard calls a Scan method for database/sql and makes an error of its panic. A panic
// that goes through sql.Rows.Scan leaves a lock behind, and Close then waits for ever.
type guard struct{ into reflect.Value }

// guardFor returns a guard if a t, or what it points to, has a Scan method.
func guardFor(t reflect.Type) *guard {
	for ; ; t = t.Elem() {
		if isScanner(t) {
			return &guard{}
		}
		if t.Kind() != reflect.Pointer {
			return nil
		}
	}
}

func isScanner(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[sql.Scanner]())
}

// Scan implements sql.Scanner.
func (g *guard) Scan(src any) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &asyncio.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	v := g.into
	for !isScanner(v.Type()) {
		if src == nil {
			v.SetZero()
			return nil
		}
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	return v.Addr().Interface().(sql.Scanner).Scan(src)
}

// isColumn reports whether a T takes a column, not a row.
func isColumn(t reflect.Type) bool {
	if isScanner(t) || t == reflect.TypeFor[time.Time]() {
		return true
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Chan, reflect.Func, reflect.Array:
		return false
	case reflect.Pointer:
		return isColumn(t.Elem())
	case reflect.Slice:
		return t.Elem().Kind() == reflect.Uint8
	}
	return true
}

// fieldsFor finds the field of the struct type t for each column.
func fieldsFor(t reflect.Type, columns []string) ([][]int, error) {
	names := namesOf(t)
	fields := make([][]int, len(columns))
	taken := map[string]bool{}
	for i, column := range columns {
		index, ok := names[column]
		if !ok {
			index, ok = names[plain(column)]
		}
		if !ok {
			return nil, fmt.Errorf("the column %q has no field in %v: add one with the tag `db:%q`", column, t, column)
		}
		if taken[column] {
			return nil, fmt.Errorf("the query has two columns %q: rename one with AS", column)
		}
		taken[column] = true
		fields[i] = index
	}
	return fields, nil
}

// fieldNames caches namesOf.
var fieldNames sync.Map // reflect.Type to map[string][]int

// namesOf maps column names to fields: tags as they are, other names as plain.
func namesOf(t reflect.Type) map[string][]int {
	if names, ok := fieldNames.Load(t); ok {
		return names.(map[string][]int)
	}
	names := map[string][]int{}
	for _, f := range reflect.VisibleFields(t) {
		tag, tagged := f.Tag.Lookup("db")
		switch {
		case !f.IsExported() || throughPointer(t, f.Index):
		case tagged && tag != "-":
			names[tag] = f.Index
		case !tagged && names[plain(f.Name)] == nil && !(f.Anonymous && f.Type.Kind() == reflect.Struct):
			names[plain(f.Name)] = f.Index
		}
	}
	fieldNames.Store(t, names)
	return names
}

// throughPointer reports whether a field is inside of an embedded pointer, which may be nil.
func throughPointer(t reflect.Type, index []int) bool {
	for _, i := range index[:len(index)-1] {
		if t = t.Field(i).Type; t.Kind() == reflect.Pointer {
			return true
		}
	}
	return false
}

// plain makes CreatedAt and created_at the same.
func plain(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "_", ""))
}

// weigh returns how many bytes of text and blobs a row holds, roughly.
func (s *scanner[T]) weigh(row *T) int {
	bytes := 0
	for _, c := range s.columns {
		bytes += weigh(c.in(row))
	}
	return bytes
}

func weigh(v reflect.Value) int {
	switch v.Kind() {
	case reflect.String, reflect.Slice:
		return v.Len()
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return weigh(v.Elem())
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return 0
		}
		bytes := 0
		for i := range v.NumField() {
			bytes += weigh(v.Field(i))
		}
		return bytes
	}
	return 0
}
