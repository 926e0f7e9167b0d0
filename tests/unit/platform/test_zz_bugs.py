"""Failing on purpose: what the tests found in the wiring."""
import os, time
from datetime import date
import dagster as dg, pytest
from orchestration.settings import Settings
from tests.unit.platform.test_automation import *
from orchestration.warehouse import LakeRelation, Warehouse

def test_growing_day_inside_range(installation):
    deliver(installation, "2025-03-01"); deliver(installation, "2025-03-02", age_seconds=0); deliver(installation, "2025-03-03")
    first, last = requested(tick(installation))
    assert not first <= "2025-03-02" <= last

def test_put_back(installation):
    path = deliver(installation, "2025-03-01"); old=path.stat().st_mtime; keys=[]; cursor=None
    text=path.read_text()
    for t,m in ((text,old),("subscriber_id\nb\n",old-5),(text,old)):
        path.write_text(t); os.utime(path,(m,m))
        r=tick(installation,cursor); cursor=r.cursor; keys.append(r.run_requests[0].run_key)
    assert len(set(keys))==3

def test_empty_secret(monkeypatch,tmp_path):
    monkeypatch.setenv("RETENTION_SECRET_KEY",""); monkeypatch.setenv("RETENTION_HOME",str(tmp_path))
    import hmac,hashlib
    assert Settings.from_environment().key("token") != hmac.new(b"",b"token",hashlib.sha256).digest()

def test_apostrophe(tmp_path):
    w=Warehouse(tmp_path/"o'hara"/"w.duckdb", tmp_path/"s")
    f=tmp_path/"o'hara"/"x"; (f/"dt=2025-03-01").mkdir(parents=True)
    import pyarrow as pa, pyarrow.parquet as pq
    pq.write_table(pa.table({"a":[1]}), f/"dt=2025-03-01"/"part.parquet")
    w.register([LakeRelation("raw","x",f,{"a":"bigint"},{"dt":"date"})])

def test_brackets(tmp_path):
    w=Warehouse(tmp_path/"data[1]"/"w.duckdb", tmp_path/"s")
    f=tmp_path/"data[1]"/"x"; (f/"dt=2025-03-01").mkdir(parents=True)
    import pyarrow as pa, pyarrow.parquet as pq
    pq.write_table(pa.table({"a":[1]}), f/"dt=2025-03-01"/"part.parquet")
    w.register([LakeRelation("raw","x",f,{"a":"bigint"},{"dt":"date"})])
    assert w.table("select * from raw.x").num_rows==1

def test_folder_swap_failure_keeps_old(tmp_path, monkeypatch):
    from orchestration.lake import Lake
    from pathlib import Path
    lake=Lake(tmp_path); p=lake.published(date(2025,3,1))
    with lake.replacing_folder(p) as f: (f/"a").write_text("1")
    real=Path.rename
    def bad(self,t):
        if Path(t)==p: raise OSError("no")
        return real(self,t)
    monkeypatch.setattr(Path,"rename",bad)
    with pytest.raises(OSError):
        with lake.replacing_folder(p) as f: (f/"a").write_text("2")
    assert (p/"a").read_text()=="1"

def test_misspelt_folder(make_settings):
    from orchestration.status import stray_files
    s=make_settings(); d=s.landing_zone/"crm_subscriber"; d.mkdir(parents=True); (d/"crm_subscribers_20250301.csv").write_text("a")
    assert stray_files(s)
