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
