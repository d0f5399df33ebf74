package engine

// A TaskRef names a task until that ends. It keeps neither the task in memory nor
// its result, only the Parking, which has long been another task's then.
type TaskRef struct {
	at *Parking
	id uint32
}

// Ref returns a reference to the running task.
func (p *Parking) Ref() TaskRef { return TaskRef{p, p.task.id} }

// Task returns the task, or nil if it has ended.
func (r TaskRef) Task() *Task {
	if t := r.at.task; t != nil && t.id == r.id {
		return t
	}
	return nil
}

// WaitsFor reports whether the task is parked and waits for just that.
func (t *Task) WaitsFor(what Waitable) bool {
	return t.at != nil && t.at.parked && t.at.what == any(what)
}
