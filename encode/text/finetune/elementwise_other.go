//go:build !amd64

package finetune

func gelu(out, x []float32) { geluGo(out, x) }

func geluBack(out, gradient, x []float32) { geluBackGo(out, gradient, x) }
