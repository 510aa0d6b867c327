package lstest

import (
	"maps"
	"slices"
	"time"
)

// Backup is a copy of the rows of a server.
type Backup struct {
	nextID map[string]int64
	tables database
}

// database holds the tables of Label Studio's database.
type database struct {
	projects map[int64]*project
	tasks    map[int64]*task
	notes    map[int64]*annotation
	preds    map[int64]*prediction
	backends map[int64]*backend
	hooks    map[int64]*webhook
}

// Backup copies what the server holds.
func (s *Server) Backup() (b *Backup) {
	s.locked(func() { b = &Backup{maps.Clone(s.nextID), s.database.clone()} })
	return b
}

// Restore makes the server hold what it held then, as restoring Label Studio's
// database does: ids that were given since are given again, to other things, and
// nobody is told. A backup may be restored more than once.
func (s *Server) Restore(b *Backup) {
	s.locked(func() {
		s.nextID, s.database, s.last = maps.Clone(b.nextID), b.tables.clone(), time.Time{}
	})
}

// clone copies the rows, which point to each other.
func (t database) clone() database {
	out := database{
		projects: map[int64]*project{}, tasks: map[int64]*task{}, notes: map[int64]*annotation{},
		preds: map[int64]*prediction{}, backends: map[int64]*backend{}, hooks: map[int64]*webhook{},
	}
	for id, p := range t.projects {
		out.projects[id] = new(*p)
	}
	for id, x := range t.tasks {
		c := new(*x)
		c.project, c.locks = out.projects[x.project.id], maps.Clone(x.locks)
		c.data = slices.Clone(x.data)
		out.tasks[id] = c
	}
	for id, a := range t.notes {
		c := new(*a)
		c.task = out.tasks[a.task.id]
		out.notes[id] = c
	}
	for id, p := range t.preds {
		c := new(*p)
		c.task = out.tasks[p.task.id]
		out.preds[id] = c
	}
	for _, p := range out.projects {
		p.tasks = cloneList(p.tasks, func(x *task) *task { return out.tasks[x.id] })
	}
	for _, x := range out.tasks {
		x.notes = cloneList(x.notes, func(a *annotation) *annotation { return out.notes[a.id] })
		x.preds = cloneList(x.preds, func(p *prediction) *prediction { return out.preds[p.id] })
	}
	for id, b := range t.backends {
		c := new(*b)
		c.project = out.projects[b.project.id]
		out.backends[id] = c
	}
	for id, h := range t.hooks {
		c := new(*h)
		c.project, c.headers = out.projects[h.project.id], maps.Clone(h.headers)
		out.hooks[id] = c
	}
	return out
}

// cloneList returns the list of the rows' copies.
func cloneList[T any](list []T, of func(T) T) []T {
	out := make([]T, len(list))
	for i, x := range list {
		out[i] = of(x)
	}
	return out
}
