/* JupyterLab draws a picture without the alt text that stands in its metadata. This extension draws
   it the same way and adds the text. `make lab` loads it: the folder lies on JUPYTER_PATH. It is
   written by hand in the form in which JupyterLab loads extensions, so that nothing must be built. */
(window._JUPYTERLAB ??= {})["dcgan-alt-texts"] = (() => {
  let shared;

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
      id: "dcgan-alt-texts:plugin",
      autoStart: true,
      requires: [IRenderMimeRegistry],
      activate: (_, registry) =>
        registry.addFactory({
          safe: true,
          mimeTypes: ["image/png", "image/jpeg"],
          createRenderer: (options) => new ImageWithAltText(options),
        }, 90),
    };
  };

  return {
    init: (scope) => { shared = scope; },
    get: async () => { const found = await plugin(); return () => found; },
  };
})();
