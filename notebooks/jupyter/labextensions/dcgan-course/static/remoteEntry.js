/* What the course adds to JupyterLab; `make lab` loads it, since the folder lies on JUPYTER_PATH.

   JupyterLab draws a picture without the alt text that stands in its metadata: here it gets one.
   Text keeps to about ninety letters a line, however wide the screen is, and a table stands at its
   left edge. Comments, which carry the shapes, are lighter on a dark ground.

   It is written by hand in the form in which JupyterLab loads extensions, so nothing must be built. */
(window._JUPYTERLAB ??= {})["dcgan-course"] = (() => {
  let shared;

  const style = `
    .jp-Notebook .jp-RenderedMarkdown > :is(p, ul, ol, blockquote, details) { max-width: 50em; }
    .jp-Notebook .jp-RenderedMarkdown > table { margin-left: 0; }
    body[data-jp-theme-light="false"] { --jp-mirror-editor-comment-color: #56acac; }
  `;

  const plugin = async () => {
    const [version] = Object.values(shared["@jupyterlab/rendermime"]);
    const { IRenderMimeRegistry, RenderedImage } = (await version.get())();

    class ImageWithAltText extends RenderedImage {
      async render(model) {
        await super.render(model);
        const words = model.metadata[this.mimeType]?.alt;
        if (words) this.node.querySelector("img").alt = words;
      }
    }

    return {
      id: "dcgan-course:plugin",
      autoStart: true,
      requires: [IRenderMimeRegistry],
      activate: (_, registry) => {
        document.head.appendChild(document.createElement("style")).textContent = style;
        registry.addFactory({
          safe: true,
          mimeTypes: ["image/png", "image/jpeg"],
          createRenderer: (options) => new ImageWithAltText(options),
        }, 90);
      },
    };
  };

  return {
    init: (scope) => { shared = scope; },
    get: async () => { const found = await plugin(); return () => found; },
  };
})();
