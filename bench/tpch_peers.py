"""Runs TPC-H's SQL on one peer, as `partita-tpch run` does on Partita. `tpch.py` starts it in the environment that the
peer is installed in.

Each query runs once for its answer, which also warms it up, and is then measured `--runs` times from its text to its
rows as an Arrow table. Answers are written as Parquet, and times as JSON after each query.
"""

import argparse
import json
import os
import time
import warnings
from pathlib import Path

import pyarrow.parquet

TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
TEXTS = Path(__file__).resolve().parent / "tpch" / "sql"
CORES = 2


class DuckDB:
    def __init__(self, data, _):
        import duckdb

        # It recommends `sql` over `execute` for Arrow, which plans a query twice.
        warnings.filterwarnings("ignore", message="Arrow output on a DB-API result")
        self.connection = duckdb.connect(config={"threads": CORES})
        for table in TABLES:
            self.execute(f"create view {table} as select * from read_parquet('{data / table}.parquet')")

    def execute(self, statement):
        return self.connection.execute(statement)

    def rows(self, query):
        return self.execute(query).to_arrow_table()

    def close(self):
        self.connection.close()


class Spark:
    """Spark with a driver of its own: on two threads of it (`local[2]`), or on a cluster's executors."""

    def __init__(self, data, master):
        from pyspark.sql import SparkSession

        settings = {
            "spark.executor.cores": "1",
            "spark.executor.memory": "2g",
            # In local mode the driver is the executor.
            "spark.driver.memory": "4g" if master.startswith("local") else "1g",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.sql.shuffle.partitions": str(CORES),
            "spark.sql.session.timeZone": "UTC",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.log.level": "ERROR",
        }
        builder = SparkSession.builder.master(master).appName("tpch")
        for key, value in settings.items():
            builder = builder.config(key, value)
        self.open(builder.getOrCreate(), data)

    def open(self, session, data):
        self.session = session
        for table in TABLES:
            session.read.parquet(f"{data / table}.parquet").createOrReplaceTempView(table)

    def execute(self, statement):
        # A view in the catalogue could not read the tables, which are views of this session.
        self.session.sql(statement.replace("create view", "create temporary view"))

    def rows(self, query):
        return self.session.sql(query).toArrow()

    def close(self):
        self.session.stop()


class Sail(Spark):
    """Sail's server in this process, and Spark's client."""

    def __init__(self, data, _):
        from pysail.spark import SparkConnectServer
        from pyspark.sql import SparkSession

        self.server = SparkConnectServer("127.0.0.1", 0)
        self.server.start(background=True)
        host, port = self.server.listening_address
        self.open(SparkSession.builder.remote(f"sc://{host}:{port}").getOrCreate(), data)

    def close(self):
        super().close()
        # Its threads would keep the process alive.
        self.server.stop()


PEERS = {"duckdb": DuckDB, "sail": Sail, "spark": Spark}


def run(peer, statements):
    """Runs a query, with the view that the fifteenth one creates and drops."""
    *before, query = statements[:2]
    for statement in before:
        peer.execute(statement)
    rows = peer.rows(query)
    for statement in statements[2:]:
        peer.execute(statement)
    return rows


def measure(peer, number, runs, answers):
    statements = [text.strip() for text in (TEXTS / f"q{number:02}.sql").read_text().split(";")]
    pyarrow.parquet.write_table(run(peer, statements), answers / f"q{number:02}.parquet")
    milliseconds = []
    for _ in range(runs):
        began = time.perf_counter()
        run(peer, statements)
        milliseconds.append((time.perf_counter() - began) * 1000)
    return {"milliseconds": milliseconds}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--master", default=f"local[{CORES}]")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--queries", required=True)
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()

    options.answers.mkdir(parents=True, exist_ok=True)
    peer = PEERS[options.peer](options.data.resolve(), options.master)
    queries = {}
    for number in map(int, options.queries.split(",")):
        try:
            queries[number] = measure(peer, number, options.runs, options.answers)
        except Exception as error:
            queries[number] = {"error": str(error)}
        beside = options.json.with_suffix(".part")
        beside.write_text(json.dumps({"queries": queries}))
        os.replace(beside, options.json)
    peer.close()


if __name__ == "__main__":
    main()
