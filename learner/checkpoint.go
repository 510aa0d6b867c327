package learner

import "github.com/hone-ml/hone/learner/head"

// A checkpoint stores the dual variables of the heads. It only saves time: the optimum does
// not depend on the duals from which the ascent starts.
type checkpoint struct {
	heads map[string]head.DualsByTask
}

// duals returns the duals of a head by task, nil when the checkpoint has none of a head with
// this key and encoder.
func (c checkpoint) duals(h *onlineHead, encoder string) head.DualsByTask {
	return c.heads[dualsKey(h, encoder)]
}

func dualsKey(h *onlineHead, encoder string) string { return h.Key + "\x00" + encoder }

// checkpointBytes returns the size that a checkpoint of the project would have at most.
func (p *project) checkpointBytes() int {
	n := len(head.DualsMagic)
	for _, h := range p.heads {
		n += 64 + len(h.Key) + 6*h.model.Len() + 2*h.model.DualNumbers()
	}
	return n
}

func (p *project) checkpoint(encoder string) []byte {
	out := append(make([]byte, 0, p.checkpointBytes()), head.DualsMagic...)
	for _, h := range p.heads {
		out = head.AppendDuals(out, dualsKey(h, encoder), h.model)
	}
	return out
}

func readCheckpoint(b []byte) (checkpoint, error) {
	heads, err := head.DecodeDuals(b)
	return checkpoint{heads: heads}, err
}
