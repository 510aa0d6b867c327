package connect

import (
	"context"
	"fmt"

	"github.com/hone-ml/hone/labelstudio"
)

// healHook switches a webhook on again that Label Studio switched off because too many
// deliveries had failed. One that was switched off with fewer failures was somebody's choice,
// and stays off.
func (r *registration) healHook(ctx context.Context, h *labelstudio.Webhook) error {
	if h.Active || h.Failures < labelstudio.MaxWebhookFailures {
		return nil
	}
	failures := h.Failures
	h.Active = true
	if _, err := r.client.UpdateWebhook(ctx, *h); err != nil {
		h.Active = false
		return err
	}
	h.Failures = 0 // Label Studio counts anew
	r.healed = true
	r.changes = append(r.changes, "the webhook was off")
	r.addStep("ok", "webhook", "", "switched on again: Label Studio had switched it off after %d failures in a row", failures)
	r.link.o.Logger.WithField("project", r.project).Warnf("Label Studio had switched the webhook off after %d failures in a row; it is on again, and what was lost is being read", failures)
	return nil
}

// reportFailures adds a step when Label Studio could not deliver many webhooks in a row.
func (r *registration) reportFailures(h labelstudio.Webhook) {
	if !h.Active || h.Failures < manyFailures {
		return
	}
	r.addStep("warn", "webhook deliveries", fmt.Sprintf("look at whether Label Studio reaches hone: `hone doctor --project %d`; the next event that arrives ends this", r.project),
		"Label Studio could not deliver the last %d events to %s; it switches the webhook off at %d", h.Failures, redactURL(h.URL), labelstudio.MaxWebhookFailures)
}

// blockedName is the name of the problem that Label Studio blocks hone's address.
const blockedName = "blocked address"

// checkBlock finds out whether Label Studio blocks webhooks to hone's address, of which it
// says nothing when it leaves them out: it checks the address when the webhook is saved, so
// saving it unchanged tells.
func (r *registration) checkBlock(ctx context.Context, h labelstudio.Webhook) error {
	return r.explainRefusedHook(h, r.client.ProbeWebhook(ctx, h))
}

// explainRefusedHook adds a step, in place of the error, when Label Studio refused to save a
// webhook because it blocks its address.
func (r *registration) explainRefusedHook(h labelstudio.Webhook, err error) error {
	if !labelstudio.IsForbidden(err) {
		return err
	}
	r.addStep("fail", blockedName, labelstudio.UnblockFix, "Label Studio sends no webhooks to %s, without a word: %v", redactURL(h.URL), err)
	return nil
}

// maintainState adds a step when Label Studio does not reach hone. It asks twice: one
// answer may have been late.
func (r *registration) maintainState(ctx context.Context) error {
	b, i := r.backend()
	if i < 0 || b.State != "DI" && b.State != "ER" {
		return nil
	}
	now, err := r.client.ValidateBackend(ctx, b.ID)
	if labelstudio.IsNotFound(err) {
		return nil // deleted since; the next check finds it
	}
	if err != nil {
		return err
	}
	r.reportState(now)
	return nil
}
