"""From instructions to places."""

import sys

import numpy
import tapescope as ts
from observe.script import run
from tapescope.observe import sites
from tapescope.observe.sites import CellLine


def here():
    frame = sys._getframe(1)
    return frame.f_code, frame.f_lasti


def test_position_and_place_of_a_line():
    code, lasti = here()
    found = sites.position(code, lasti)
    assert found.line == code.co_firstlineno + 1 and found.column is not None
    site = sites.site_of(code, lasti)
    assert site.file == __file__ and site.label == f"test_sites.py:{found.line}"
    assert site.source == "code, lasti = here()"


def test_a_position_that_is_not_there_gives_the_first_line():
    code, _ = here()
    assert sites.position(code, 10**6).line == code.co_firstlineno
    assert sites.position(code, -1).line == code.co_firstlineno


def test_the_users_line_is_found_below_library_frames():
    space = run("net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())\ny = net(ts.ones(1, 2))\n")
    assert sites.site_of_node(space["y"].grad_fn).text == 'File "model.py", line 3'
    assert sites.site_of_tensor(space["y"]).line == 3
    assert sites.site_of_node(None) is None and sites.site_of_pair(None) is None


def test_whose_code_it_is():
    assert sites.is_users(here()[0])
    assert not sites.is_users(ts.ones.__code__)
    assert sites.is_library(numpy.__file__) and not sites.is_library(__file__)


def test_users_frames_of_a_traceback():
    try:
        ts.ones(2) + ts.ones(3)
    except ValueError as error:
        frames = sites.users_frames(error.__traceback__)
    assert [frame.f_code.co_name for frame, _ in frames] == ["test_users_frames_of_a_traceback"]


def test_a_resolver_gives_cells_their_names(monkeypatch):
    monkeypatch.setattr(sites, "resolvers", [lambda code, line: CellLine("id", 5, line, "source")])
    code, lasti = here()
    site = sites.site_of(code, lasti)
    line = sites.position(code, lasti).line
    assert (site.label, site.text) == (f"In[5]:{line}", f"Cell In[5], line {line}")
    assert site.file is None and site.cell == "id" and str(site) == site.text
