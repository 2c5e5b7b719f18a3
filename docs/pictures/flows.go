package main

const (
	column, boxWidth = 172, 148
	tall             = 58
)

// panel is one flow: two rows of steps, from left to right.
type panel struct {
	*picture
	top float64
}

func (p *picture) panel(top float64, title, upper string) panel {
	p.heading(14, top, title)
	q := panel{p, top}
	p.text(14, q.row(0)-10, "start", upper)
	return q
}

func (p panel) row(row int) float64 { return p.top + 34 + float64(row)*116 }

func left(col float64) float64 { return 14 + col*column }

// step is a box in a row, from one column on; its width is a number of columns.
func (p panel) step(row int, col, width float64, fill string, lines ...string) {
	p.box(left(col), p.row(row), (width-1)*column+boxWidth, tall, fill, false, lines...)
}

// along is an arrow from the step that ends in column a to the next one.
func (p panel) along(row int, a float64) {
	y := p.row(row) + tall/2
	p.arrow(point{left(a) + boxWidth, y}, point{left(a + 1), y})
}

// across is an arrow from one row to the other, in the middle of a column, with a text beside it.
func (p panel) across(from int, col float64, text ...string) {
	x := left(col) + boxWidth/2
	a, b := p.row(0)+tall, p.row(1)
	if from == 1 {
		a, b = b, a
	}
	p.arrow(point{x, a}, point{x, b})
	p.text(x+9, p.row(0)+tall+26-float64(len(text)-1)*5, "start", text...)
}

// flows shows how a start, a reload and a stop go.
func flows() *picture {
	p := newPicture(1040, 800, "How a start, a reload and a stop go")

	s := p.panel(24, "Start", "the command that the caller waits for")
	s.text(left(0), s.row(1)+tall/2+4, "start", "the copy in the background:")
	s.step(0, 0, 1, blue, "read and check", "the configuration")
	s.step(0, 1, 1, blue, "lock the pidfile")
	s.step(0, 2, 1, blue, "start the copy, and", "hand the lock over")
	s.step(0, 3, 2, amber, "wait; pass on to standard error", "what the copy has to say")
	s.step(0, 5, 1, green, "exit 0: it is ready")
	for col := range 3 {
		s.along(0, float64(col))
	}
	s.along(0, 4)
	s.across(0, 2, "lock,", "pipe")
	s.text(left(0)+boxWidth/2, s.row(0)+tall+18, "middle", "wrong: exit 6")
	s.text(left(1)+boxWidth/2, s.row(0)+tall+18, "middle", "held: exit 100")
	s.text(left(5)+boxWidth/2, s.row(0)+tall+18, "middle", "the copy failed:", "its status, no pidfile")
	s.step(1, 2, 1, blue, "read it again,", "open the log")
	s.step(1, 3, 1, blue, "take the signals,", "write the PID")
	s.step(1, 4, 1, blue, "startup command,", "programs; wait for", "the required ones")
	s.step(1, 5, 1, green, "keep them running")
	for col := 2; col < 5; col++ {
		s.along(1, float64(col))
	}
	s.across(1, 4, "“ready”")

	r := p.panel(294, "Reload", "keepalivedd reload")
	r.text(left(0), r.row(1)+tall/2+4, "start", "the daemon:")
	r.step(0, 0, 1, blue, "read and check", "the configuration")
	r.step(0, 1, 1, blue, "ask the daemon,", "and wait")
	r.along(0, 0)
	r.text(left(0)+boxWidth/2, r.row(0)+tall+18, "middle", "wrong: exit 6, with", "file, line, column")
	r.across(0, 1, "or kill -HUP")
	r.step(1, 1, 1, blue, "read and check", "it again")
	r.step(1, 2, 1, blue, "can all of it be had:", "files, directories,", "fixed keys?")
	r.step(1, 3, 1, blue, "stop what is gone,", "restart or signal", "what differs")
	r.step(1, 4, 1, blue, "start what is new;", "the rest is not", "touched")
	r.step(1, 5, 1, green, "open logs anew;", "“reloaded”")
	for col := 1; col < 5; col++ {
		r.along(1, float64(col))
	}
	r.step(0, 2, 2, red, "exit 6, with the reason, which is in the", "log too: everything goes on as before")
	r.across(1, 2, "no, or wrong")
	r.step(0, 5, 1, green, "exit 0: it is in force")
	r.across(1, 5)

	t := p.panel(564, "Stop", "keepalivedd stop")
	t.step(0, 0, 1, blue, "send TERM")
	t.across(0, 0, "or kill -TERM")
	t.step(0, 1, 4, amber, "wait for its end; shutdown_timeout and 5 s later, kill it")
	t.step(0, 5, 1, green, "exit 0: it has ended")
	t.along(0, 0)
	t.along(0, 4)
	t.step(1, 0, 1, blue, "stop_signal to each", "group, in reverse", "order")
	t.step(1, 1, 1, blue, "stop_timeout later,", "or at a second TERM:", "KILL to the group")
	t.step(1, 2, 1, blue, "end what has left", "its group")
	t.step(1, 3, 1, blue, "shutdown command")
	t.step(1, 4, 1, blue, "remove the pidfile,", "last of all")
	t.step(1, 5, 1, green, "exit 0")
	for col := range 5 {
		t.along(1, float64(col))
	}
	t.across(1, 5)
	t.text(left(0), t.row(1)+tall+20, "start",
		"the daemon; shutdown_timeout bounds all that it does: whatever is left then is killed")
	return p
}
