// Turns our chart data (present/charts.py) into ECharts options in the colours of the theme.
(() => {
  "use strict";
  const drawn = new Set();
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);

  const color = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const fade = (rgb, alpha) => rgb.replace(/^rgb\(([^)]+)\)$/, (_, parts) => `rgba(${parts}, ${alpha})`);

  const number = (value) => {
    const size = Math.abs(value);
    for (const [factor, unit] of [[1e12, " T"], [1e9, " B"], [1e6, " M"], [1e4, " k"]]) {
      if (size >= factor) {
        const scaled = value / (factor === 1e4 ? 1e3 : factor);
        return scaled.toFixed(Math.abs(scaled) < 10 ? 2 : Math.abs(scaled) < 100 ? 1 : 0) + unit;
      }
    }
    return Number.isInteger(value) ? value.toLocaleString("en") : Number(value.toPrecision(3)).toString();
  };
  const clock = (value) => {
    const seconds = Math.floor(Math.abs(value) / 1000);
    return `${value < 0 ? "-" : ""}${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  };
  const forms = {
    number, clock,
    count: (value) => value.toLocaleString("en"),
    percent: (value) => `${value.toFixed(value % 1 ? 1 : 0)}%`,
  };

  const font = "Hanken Grotesk";
  const text = (size) => ({ color: color("ink-2"), fontFamily: font, fontSize: size });

  const yAxis = (form, right, panel) => ({
    type: "value",
    gridIndex: panel,
    position: right ? "right" : "left",
    max: form === "percent" ? 100 : undefined,
    min: 0,
    splitNumber: panel ? 2 : 4,
    interval: form === "percent" ? 25 : undefined,
    axisLabel: { ...text(12), formatter: forms[form] },
    splitLine: { show: !right, lineStyle: { color: color("line") } },
  });

  // the same for every panel, or their lines would not stand above each other
  const lastX = (data) => Math.max(data.x.at(-1), ...data.points.map((point) => point.at), ...data.bands.map((band) => band.end));

  const xAxis = (data, panel, last) => {
    const label = { ...text(12), hideOverlap: true, show: last };
    const line = { lineStyle: { color: color("line-2") } };
    if (!data.x.length) return { type: "category", gridIndex: panel, data: data.labels, axisLabel: label, axisTick: { show: false }, axisLine: line };
    return {
      type: "value", gridIndex: panel, min: data.x[0], max: lastX(data), splitLine: { show: false }, axisTick: { show: last },
      axisLabel: { ...label, formatter: forms[data.x_form] }, axisLine: { ...line, onZero: false },
    };
  };

  const bands = (data, named) => ({
    silent: true,
    data: data.bands.map((band, index) => [
      {
        xAxis: band.start,
        name: band.label,
        itemStyle: { color: fade(color("ink"), index % 2 ? 0.07 : 0.015) },
        label: { ...text(11), show: named, position: "insideTop", distance: 3 },
      },
      { xAxis: band.end },
    ]),
  });

  const seriesOf = (data, one) => {
    const tint = color(one.color);
    const values = data.x.length ? data.x.map((x, index) => [x, one.values[index]]) : one.values;
    const base = {
      name: one.name, data: values, stack: one.stack || undefined, xAxisIndex: one.panel,
      yAxisIndex: one.panel ? 1 : one.right ? 2 : 0, itemStyle: { color: tint }, animation: false, connectNulls: true,
    };
    if (one.mark === "bar") return { ...base, type: "bar", barMaxWidth: 34, barCategoryGap: "28%" };
    if (one.mark === "points") return { ...base, type: "scatter", symbolSize: 9 };
    return {
      ...base, type: "line", showSymbol: values.length < 3, smooth: 0.15, symbol: "circle",
      lineStyle: { width: 2, color: tint, type: one.right ? [6, 3] : "solid" },
      areaStyle: one.mark === "area" ? { color: fade(tint, one.stack ? 0.55 : 0.16) } : undefined,
    };
  };

  const points = (data, panel) => ({
    name: data.points_name, type: "scatter", xAxisIndex: panel, yAxisIndex: panel, symbol: "path://M4 4 L20 20 M20 4 L4 20", symbolSize: 9, z: 5,
    animation: false, itemStyle: { color: color("bad") },
    data: data.points.map((point) => ({ value: [point.at, 0], name: point.label, itemStyle: { color: "transparent", borderColor: color(point.color), borderWidth: 2.5 } })),
    markLine: {
      silent: true, symbol: "none", label: { show: false },
      lineStyle: { color: fade(color("bad"), 0.45), type: "dotted", width: 1 },
      data: data.points.map((point) => ({ xAxis: point.at })),
    },
  });

  const options = (data, width) => {
    const head = width < 560 ? 58 : 34; // room for a legend of two lines
    const low = data.series.some((one) => one.panel === 1) ? 1 : 0;
    const right = data.series.find((one) => one.right);
    const left = (panel) => data.series.find((one) => !one.right && one.panel === panel)?.form ?? "number";
    const list = data.series.map((one) => seriesOf(data, one));
    if (data.bands.length) {
      for (let panel = 0; panel <= low; panel += 1) {
        const first = data.series.findIndex((one) => one.panel === panel);
        if (first >= 0) list[first].markArea = bands(data, panel === 0);
      }
    }
    if (data.points.length) list.push(points(data, low));
    const sides = { left: 8, right: right ? 8 : 14, outerBoundsMode: "same", outerBoundsContain: "axisLabel" };
    const grids = low
      ? [{ ...sides, left: 58, right: 48, outerBoundsMode: "none", top: head, height: width < 560 ? "47%" : "53%" }, { ...sides, left: 58, right: 48, outerBoundsMode: "none", bottom: 26, height: "21%" }]
      : [{ ...sides, top: list.length > 1 ? head : 12, bottom: 6 }];
    const axes = [yAxis(left(0), false, 0), ...(low || right ? [yAxis(left(low), false, low)] : []), ...(right ? [yAxis(right.form, true, 0)] : [])];
    if (right && !low) axes[1].show = false;
    return {
      backgroundColor: "transparent",
      textStyle: { fontFamily: font, color: color("ink") },
      grid: grids,
      legend: { show: list.length > 1, top: 0, left: 0, icon: "roundRect", itemWidth: 12, itemHeight: 8, textStyle: text(12) },
      axisPointer: { link: [{ xAxisIndex: "all" }], lineStyle: { color: color("line-2") } },
      tooltip: {
        trigger: "axis", confine: true, backgroundColor: color("surface"), borderColor: color("line-2"),
        textStyle: { color: color("ink"), fontSize: 13, fontFamily: font }, formatter: (items) => tooltip(data, items),
      },
      xAxis: Array.from({ length: low + 1 }, (_, panel) => xAxis(data, panel, panel === low)),
      yAxis: axes,
      series: list,
    };
  };

  // Built as elements: text from a log is text, and no markup or style attribute is ever parsed.
  const tooltip = (data, items) => {
    const box = document.createElement("div");
    const head = document.createElement("strong");
    head.textContent = data.x.length ? forms[data.x_form](items[0].axisValue) : items[0].axisValueLabel;
    box.append(head);
    for (const item of items) {
      const line = document.createElement("div");
      const series = data.series[item.seriesIndex];
      const value = Array.isArray(item.value) ? item.value[1] : item.value;
      if (!series) line.textContent = `✗ ${item.name}`;
      else if (value === null || value === undefined) continue;
      else {
        const dot = document.createElement("span");
        dot.textContent = "■ ";
        dot.style.color = color(series.color);
        line.append(dot, `${series.name}: ${forms[series.form](value)}`);
      }
      box.append(line);
    }
    return box;
  };

  const draw = (element) => {
    const data = JSON.parse(element.dataset.chart);
    const chart = echarts.init(element, null, { renderer: "canvas" });
    chart.setOption(options(data, element.clientWidth));
    new ResizeObserver(() => { if (element.clientWidth) chart.resize(); }).observe(element);
    drawn.add({ element, chart, data });
    element.dataset.drawn = "";
  };

  document.addEventListener("gamelake:theme", () => {
    for (const one of drawn) {
      if (one.element.isConnected) one.chart.setOption(options(one.data, one.element.clientWidth), true);
      else { one.chart.dispose(); drawn.delete(one); }
    }
  });
  window.gamelakeCharts = { draw };
})();
