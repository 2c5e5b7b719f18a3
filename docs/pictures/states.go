package main

// states shows the public states of a program. What moves it is in the table of supervise/state.go.
func states() *picture {
	p := newPicture(1040, 480, "The states of a program, and what moves it from one to the next")
	const w, h = 130, 50
	p.box(20, 90, w, h, slate, true, "down")
	p.box(300, 90, w, h, amber, true, "blocked")
	p.box(300, 240, w, h, amber, true, "backoff")
	p.frame(600, 60, 170, 250, "its process runs")
	p.box(620, 90, w, h, blue, true, "starting")
	p.box(620, 240, w, h, green, true, "up")
	p.box(620, 400, w, h, blue, true, "stopping")
	p.frame(870, 90, 160, 200, "ended for good")
	p.box(885, 110, w, h, green, true, "done")
	p.box(885, 220, w, h, red, true, "failed")

	p.arrow(point{150, 105}, point{300, 105})
	p.text(225, 82, "middle", "wanted: a start,", "a reload")
	p.arrow(point{300, 127}, point{150, 127})
	p.text(225, 145, "middle", "not wanted")
	p.arrow(point{430, 115}, point{620, 115})
	p.text(515, 76, "middle", "those before it are", "ready, its gate is open")

	p.arrow(point{345, 140}, point{345, 240})
	p.text(337, 194, "end", "its gate ended")
	p.arrow(point{385, 240}, point{385, 140})
	p.text(393, 186, "start", "the delay", "is over")

	p.arrow(point{685, 140}, point{685, 240})
	p.text(693, 194, "start", "ready")

	p.arrow(point{600, 265}, point{430, 265})
	p.text(515, 239, "middle", "ended, or could", "not be started")
	p.arrow(point{770, 135}, point{885, 135})
	p.text(820, 126, "middle", "status 0")
	p.arrow(point{770, 245}, point{885, 245})
	p.text(820, 236, "middle", "otherwise")

	p.arrow(point{685, 310}, point{685, 400})
	p.text(697, 338, "start", "a stop, a removal, a change; not ready in time;",
		"its check or watchdog failed; its gate is lost")
	p.arrow(point{620, 414}, point{365, 414}, point{365, 290})
	p.text(377, 400, "start", "gone, after a fault")
	p.arrow(point{620, 438}, point{70, 438}, point{70, 140})
	p.text(377, 456, "start", "gone, after a stop or a change")
	p.arrow(point{750, 425}, point{1015, 425}, point{1015, 290})
	p.text(764, 418, "start", "gone, after a fault that is final")
	p.arrow(point{300, 265}, point{110, 265}, point{110, 140})
	p.text(205, 257, "middle", "not wanted")

	p.arrow(point{950, 66}, point{950, 24}, point{365, 24}, point{365, 90})
	p.text(660, 17, "middle", "changed by a reload")
	return p
}
