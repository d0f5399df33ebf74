package engine

import (
	"context"
	"reflect"
)

// Explains reports whether err says that s was cancelled, and nothing else. It
// compares by identity: err is the cause of s itself, or the standard library's
// word for it, perhaps with text around it ([fmt.Errorf] with one %w), or
// several of these joined; or a bare context.Canceled, which says nothing else. A
// clean-up's own timeout, another task's cancellation (unless in the same word)
// and a panic are errors like any other.
func (s *Scope) Explains(err error) bool {
	cause := s.Cause()
	if cause == nil {
		return false
	}
	// What most tasks return costs no search: that would grow the stack of each
	// of a million tasks that are woken only to end.
	return err == context.Canceled || same(err, cause) || explained(err, cause, s.Ctx().Err())
}

func explained(err, cause, word error) bool {
	for e := err; e != nil; {
		if same(e, cause) || e == word {
			return true
		}
		if Errors.IsPanic(e) {
			return false
		}
		switch wrapped := e.(type) {
		case interface{ Unwrap() error }:
			e = wrapped.Unwrap()
		case interface{ Unwrap() []error }:
			several := wrapped.Unwrap()
			for _, e := range several {
				if !explained(e, cause, word) {
					return false
				}
			}
			return len(several) > 0
		default:
			return false
		}
	}
	return false
}

// same is a == b for errors, which may be of types that cannot be compared.
func same(a, b error) bool {
	t := reflect.TypeOf(a)
	return t == reflect.TypeOf(b) && t.Comparable() && a == b
}
