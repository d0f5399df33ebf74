package engine

// Local returns what the loop keeps under key, nil if nothing; SetLocal sets it.
// The loop does nothing with it.
func (l *Loop) Local(key any) any { return l.locals[key] }

func (l *Loop) SetLocal(key, value any) {
	if l.locals == nil {
		l.locals = map[any]any{}
	}
	l.locals[key] = value
}

// Shared returns what the loop keeps of type T for a package, as its own; create
// makes it, once.
func Shared[T any](l *Loop, create func() *T) *T {
	key := (*T)(nil)
	if v, ok := l.Local(key).(*T); ok {
		return v
	}
	v := create()
	l.SetLocal(key, v)
	return v
}
