"""Spark's half of `pool.py`, run by the Python of the environment that Spark is installed in.

Arguments: the master's URL and the trips' directory. Prints one JSON object: the milliseconds of each
measurement, as the median of warm runs, and the answers that `pool.py` compares. Each run builds its query
anew, because a second `collect` of the same DataFrame would reuse the shuffle's map output and read no trips.
"""

import json
import os
import statistics
import sys
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

WARMUP, REPEATS = (int(n) for n in os.environ.get("BENCH_POOL_RUNS", "2,7").split(","))
QUICK = (5, 25) if WARMUP >= 2 else (WARMUP, REPEATS)


def median(run, warmup=WARMUP, repeats=REPEATS):
    for _ in range(warmup):
        answer = run()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        answer = run()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times), answer


def main():
    master, trips = sys.argv[1:]
    times, answers = {}, {}

    began = time.perf_counter()
    builder = SparkSession.builder.master(master).appName("bench")
    settings = {
        "spark.executor.cores": "1",
        "spark.executor.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
    }
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    times["connect"] = (time.perf_counter() - began) * 1000
    spark.range(0, 2, 1, 2).count()
    times["connect and first answer"] = (time.perf_counter() - began) * 1000

    tasks = spark.range(0, 1000, 1, 1000).filter("id < 0")
    times["1,000 empty tasks"], _ = median(tasks.count, *QUICK)

    records = spark.range(0, 10_000).selectExpr("id % 100 as key", "id * id % 997 as value")
    for partitions in (1, 2, 4, 8, 16):
        rows = records.repartition(partitions).cache()
        rows.count()

        def query(rows=rows):
            return rows.filter("value > 10").groupBy("key").agg(f.sum("value").alias("value")).collect()

        name = f"10,000 records, {partitions} partition{'s' if partitions > 1 else ''}"
        times[name], answer = median(query, *QUICK)
        answers[name] = sum(row["value"] for row in answer)
        rows.unpersist(blocking=True)

    def grid(name):
        return f.floor(f.col(name) * 100).cast("int").alias(name)

    def queries(rows):
        yield "peak hours", lambda: rows.groupBy(f.hour("pickup_at").alias("hour")).agg(
            f.count("*").alias("trips"), f.avg("distance_miles")
        )
        yield "revenue by grid cell", lambda: rows.groupBy(grid("pickup_lon"), grid("pickup_lat")).agg(
            f.sum("total").alias("revenue"), f.count("*").alias("trips")
        )
        yield "tips by payment type", lambda: rows.filter("fare > 0").groupBy("payment").agg(
            (f.sum("tip") / f.sum("fare")).alias("tip_share"), f.avg("tip").alias("tip"), f.count("*").alias("trips")
        )

    files = spark.read.parquet(trips)
    cached = files.select("pickup_at", "distance_miles", "pickup_lon", "pickup_lat", "total", "fare", "tip", "payment")
    for place, rows in (("Parquet", files), ("cached", cached)):
        if place == "cached":
            rows = rows.cache()
            rows.count()
        for query, made in queries(rows):
            name = f"{query}, {place}"
            times[name], answer = median(lambda made=made: made().collect())
            answers[name] = [len(answer), sum(row["trips"] for row in answer)]
    spark.stop()
    print(json.dumps({"times": times, "answers": answers}))


if __name__ == "__main__":
    main()
