// Checks dashboards against Grafana's own types and units, in the versions of package.json.
//   node check.mjs FOLDER FILE...     prints {"FILE": ["what is wrong", ...], ...}; FOLDER holds node_modules
// Each dashboard becomes a TypeScript value of the type that @grafana/schema gives it, each panel of the types of its
// kind: the compiler then finds misspelt keys, wrong types and values that no enum has. Units come from @grafana/data.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const [folder, ...files] = process.argv.slice(2);
const require = createRequire(join(resolve(folder), 'package.json'));
const ts = require('typescript');

// Types of one kind of panel: options, and what a field's configuration adds.
const kinds = {
  bargauge: ['BarGaugePanelCfg', 'Options', 'object'],
  heatmap: ['HeatmapPanelCfg', 'Options', 'FieldConfig'],
  stat: ['StatPanelCfg', 'Options', 'object'],
  'state-timeline': ['StateTimelinePanelCfg', 'Options', 'FieldConfig'],
  table: ['TablePanelCfg', 'Options', 'FieldConfig'],
  text: ['TextPanelCfg', 'Options', 'object'],
  timeseries: ['TimeSeriesPanelCfg', 'Options', 'FieldConfig'],
};
const name = (kind) => kind.replace(/-/g, '_');
const plugin = (kind) => kind.replace(/-/g, '');

// In JSON an enum is its value. Keys are kept, so that surplus ones are still found.
const prelude = `
import type * as grafana from '@grafana/schema';
type Json<T> = T extends string ? \`\${T}\` : T extends number | boolean | null | undefined ? T
  : T extends (infer E)[] ? Json<E>[] : unknown extends T ? T : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
${Object.entries(kinds)
  .map(([kind, [file]]) => `import type * as ${name(kind)} from '@grafana/schema/dist/esm/raw/composable/${plugin(kind)}/panelcfg/x/${file}_types.gen';`)
  .join('\n')}
// What the Prometheus data source reads of a target and of an annotation; @grafana/schema leaves both to it.
interface Query { refId: string; expr: string; datasource?: grafana.DataSourceRef; instant: boolean; range: boolean; exemplar?: boolean;
  format?: 'table' | 'time_series' | 'heatmap'; legendFormat?: string; interval?: string; hide?: boolean; editorMode?: 'code' | 'builder' }
interface Annotation extends Omit<Json<grafana.AnnotationQuery>, 'target'> { target: Omit<Query, 'datasource'>; titleFormat: string; textFormat: string; tagKeys: string }
interface Link { title: string; url: string; targetBlank?: boolean }
interface DashboardLink extends Partial<Json<grafana.DashboardLink>> { title: string; url: string }
interface Panel<Options, Custom> extends Omit<Json<grafana.Panel>, 'options' | 'fieldConfig' | 'targets' | 'type'> {
  options: Json<Options>; targets?: Query[]; title: string; description: string; gridPos: grafana.GridPos;
  fieldConfig?: Omit<Json<grafana.FieldConfigSource>, 'defaults'> & { defaults: Omit<Json<grafana.FieldConfig>, 'custom' | 'links'> & { custom?: Json<Partial<Custom>>; links?: Link[] } } }
type Field = Json<grafana.FieldConfig>;
${Object.entries(kinds)
  .map(([kind, [, options, custom]]) => `interface Panel_${name(kind)} extends Panel<Partial<${name(kind)}.${options}>, ${custom === 'object' ? '{}' : `${name(kind)}.${custom}`}> { type: '${kind}' }`)
  .join('\n')}
interface Row extends Omit<Json<grafana.RowPanel>, 'panels'> { panels: never[] }
interface Dashboard extends Omit<Json<grafana.Dashboard>, 'panels' | 'annotations' | 'links'> {
  panels: unknown[]; links: DashboardLink[]; annotations: { list: Annotation[] } }
`;

function units() {
  // Its date formats ask the browser for its language.
  Object.defineProperty(globalThis, 'navigator', { value: { language: 'en', languages: ['en'] }, configurable: true });
  return new Set(require('@grafana/data').getValueFormats().flatMap((group) => group.submenu.map((format) => format.value)));
}

function source(dashboard) {
  const { panels, ...rest } = dashboard;
  const lines = [prelude, `const dashboard: Dashboard = ${JSON.stringify({ ...rest, panels: [] })};`];
  for (const [i, panel] of panels.entries()) {
    const type = panel.type === 'row' ? 'Row' : kinds[panel.type] ? `Panel_${name(panel.type)}` : undefined;
    lines.push(type ? `const panel_${i}: ${type} = ${JSON.stringify(panel)};` : `const panel_${i}: 'a known kind of panel' = ${JSON.stringify(panel.type)};`);
    // What an override sets on a field is an untyped value of a named property of its configuration.
    for (const [j, override] of (panel.fieldConfig?.overrides ?? []).entries()) {
      const plain = override.properties.filter((p) => !['links'].includes(p.id) && !p.id.startsWith('custom.'));
      const custom = override.properties.filter((p) => p.id.startsWith('custom.'));
      const values = (list, cut) => JSON.stringify(Object.fromEntries(list.map((p) => [p.id.slice(cut), p.value])));
      lines.push(`const override_${i}_${j}: Field = ${values(plain, 0)};`);
      if (custom.length && kinds[panel.type][2] !== 'object') {
        lines.push(`const custom_${i}_${j}: Json<Partial<${name(panel.type)}.FieldConfig>> = ${values(custom, 7)};`);
      }
    }
  }
  return lines.join('\n');
}

const dashboards = new Map(files.map((file, i) => [join(resolve(folder), `dashboard-${i}.ts`), [file, JSON.parse(readFileSync(file, 'utf8'))]]));
const sources = new Map([...dashboards].map(([path, [, dashboard]]) => [path, source(dashboard)]));

const options = { strict: true, noEmit: true, skipLibCheck: true, moduleResolution: ts.ModuleResolutionKind.Bundler,
  module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, types: [], lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'] };
const host = ts.createCompilerHost(options);
const { getSourceFile, fileExists, readFile } = host;
host.getSourceFile = (path, ...more) => sources.has(path) ? ts.createSourceFile(path, sources.get(path), options.target) : getSourceFile(path, ...more);
host.fileExists = (path) => sources.has(path) || fileExists(path);
host.readFile = (path) => sources.get(path) ?? readFile(path);
const program = ts.createProgram([...sources.keys()], options, host);

const unitNames = units();
const faults = {};
for (const [path, [file, dashboard]] of dashboards) {
  const diagnostics = [...program.getSyntacticDiagnostics(program.getSourceFile(path)), ...program.getSemanticDiagnostics(program.getSourceFile(path))];
  faults[file] = diagnostics.map((d) => {
    const { text } = program.getSourceFile(path);
    const start = text.lastIndexOf('\nconst ', d.start) + 7;
    return `${text.slice(start, text.indexOf(':', start))}: ${ts.flattenDiagnosticMessageText(d.messageText, ' ')}`;
  });
  // A heat map's axis and a table's columns have units of their own.
  const visit = (value, key) => {
    if (key === 'unit' && !unitNames.has(value)) faults[file].push(`unit ${JSON.stringify(value)} is none of Grafana's`);
    if (value?.id === 'unit') visit(value.value, 'unit');
    if (value && typeof value === 'object') Object.entries(value).forEach(([k, v]) => visit(v, k));
  };
  visit(dashboard);
}
console.log(JSON.stringify(faults, null, 1));
