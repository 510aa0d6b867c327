package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Table writes the result for people.
func (r Result) Table(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%d texts of %.0f words, %d classes, %s, one core\n\n", r.Texts, r.Words, r.Classes, r.Encoder)
	row := func(what string, perS, perCPU float64) {
		fmt.Fprintf(w, "%s\t%s/s", what, roundedCount(perS))
		if perCPU > 0 {
			fmt.Fprintf(w, "\t%s/CPU s", roundedCount(perCPU))
		}
		fmt.Fprintln(w)
	}
	row("encode", r.EncodePerS, r.EncodePerCPUS)
	row("learn, one pass", r.LearnPerS, r.LearnPerCPUS)
	row("learn, to the optimum and disk", r.ApplyPerS, 0)
	row("predict", r.PredictPerS, r.PredictPerCPUS)
	row("/predict, one task", r.PredictRequestsPerS, r.PredictRequestsPerCPUS)
	row("webhooks, 1 sender", r.WebhooksPerS, 0)
	row("webhooks, 64 senders", r.Webhooks64PerS, 0)
	fmt.Fprintf(w, "one annotation learned\t%.1f ms\tp99 %.1f ms, with the disk %.1f ms\n", r.LearnOneP50Ms, r.LearnOneP99Ms, r.LearnOneDurableP99Ms)
	fmt.Fprintf(w, "acknowledged, 1 sender\t\tp99 %.1f ms\n", r.AckP99Ms)
	fmt.Fprintf(w, "acknowledged, 64 senders\t\tp99 %.1f ms\n", r.Ack64P99Ms)
	fmt.Fprintf(w, "most memory\t%.0f MB\n", r.RSSMB)
	return w.Flush()
}

// roundedCount rounds to three digits, with spaces between thousands.
func roundedCount(v float64) string {
	if v < 1000 {
		return fmt.Sprintf("%.3g", v)
	}
	s := fmt.Sprintf("%.0f", v)
	out := ""
	for ; len(s) > 3; s = s[:len(s)-3] {
		out = " " + s[len(s)-3:] + out
	}
	return s + out
}
