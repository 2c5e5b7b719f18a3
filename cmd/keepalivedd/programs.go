package main

import (
	"syscall"

	"github.com/keepalivedd/keepalivedd/config"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// programs is the configuration as package supervise takes it. What many programs have alike is one value there, as it
// is here.
func (s *service) programs(c *config.Config) []supervise.Program {
	users := map[*config.User]*supervise.User{nil: nil}
	alike := map[*config.Settings]*supervise.Program{}
	list := make([]supervise.Program, len(c.Programs))
	for i := range c.Programs {
		p := &c.Programs[i]
		common := alike[p.Settings]
		if common == nil {
			common = s.settings(p.Settings)
			alike[p.Settings] = common
		}
		if u := p.User; users[u] == nil && u != nil {
			users[u] = &supervise.User{Name: u.Name, UID: u.UID, GID: u.GID, Groups: u.Groups, Home: u.Home, Shell: u.Shell}
		}
		q := &list[i]
		*q = *common
		q.Name, q.Command, q.User, q.Directory, q.Environment = p.Name, p.Command, users[p.User], p.Directory, p.Environment
		q.Restart = restarts[p.Restart]
		q.StopSignal, q.StopTimeout = syscall.Signal(p.StopSignal), p.StopTimeout
	}
	return list
}

// settings is a Program that has these and nothing else.
func (s *service) settings(c *config.Settings) *supervise.Program {
	p := &supervise.Program{
		Setup: setup(c), Output: s.output(c.Output), RateLimit: c.RateLimit,
		OneShot: c.Type == config.Oneshot, Required: c.Required, Essential: c.Essential,
		PermanentExit: c.PermanentExit, ReloadSignal: syscall.Signal(c.ReloadSignal),
	}
	b := supervise.Backoff{Min: c.RestartDelay.Min, Max: c.RestartDelay.Max, ResetAfter: c.RestartDelay.ResetAfter}
	p.Backoff = &b
	if g := c.GiveUp; g != nil {
		p.GiveUp = &supervise.GiveUp{Tries: g.Tries, Within: g.Within}
	}
	if c.Ready != (config.Ready{}) || c.Watchdog > 0 {
		p.Ready = &supervise.Ready{FD: c.Ready.FD, Notify: c.Ready.Notify, After: c.Ready.After, Timeout: c.ReadyTimeout, Watchdog: c.Watchdog}
	}
	if len(c.After)+len(c.Requires) > 0 {
		p.Order = &supervise.Order{After: c.After, Requires: c.Requires}
	}
	if k := c.Check; k != nil {
		p.Check = &supervise.Check{Command: k.Command, Every: k.Every, Timeout: k.Timeout, Failures: k.Failures, StartAfter: k.StartAfter}
	}
	if c.Gate != nil {
		p.Gate = &supervise.Gate{Command: c.Gate, Timeout: c.GateTimeout}
	}
	if c.OnChange != nil {
		p.Hook = &supervise.Hook{Command: c.OnChange, Timeout: c.OnChangeTimeout}
	}
	return p
}

func setup(c *config.Settings) *supervise.Setup {
	mask, masked := c.Umask.Mask()
	if !masked && c.Limits == nil && c.Nice == nil && c.OOMScoreAdj == nil && !c.NoNewPrivileges {
		return nil
	}
	u := &supervise.Setup{Nice: c.Nice, OOMScoreAdj: c.OOMScoreAdj, NoNewPrivileges: c.NoNewPrivileges}
	if masked {
		u.Umask = &mask
	}
	for _, l := range c.Limits {
		u.Limits = append(u.Limits, supervise.Limit{Name: l.Name(), Resource: l.Resource, Soft: l.Soft, Hard: l.Hard})
	}
	return u
}

var restarts = map[config.Restart]supervise.Restart{
	config.Always: supervise.Always, config.OnFailure: supervise.OnFailure, config.Never: supervise.Never,
}
