package pipeline

// Foreground counts work that somebody waits for. It must be safe for concurrent use.
type Foreground interface {
	Begin()
	End()
}

// inForeground says that work begins that somebody waits for. Call end when it has ended.
func (p *Pipeline) inForeground() (end func()) {
	if p.opts.Foreground == nil {
		return func() {}
	}
	p.opts.Foreground.Begin()
	return p.opts.Foreground.End
}
